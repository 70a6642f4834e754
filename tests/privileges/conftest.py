"""A broker for each way of giving out accounts."""

import pytest

from deskstream.messaging.permissions import Apart
from tests.privileges.guarded import Guarded


@pytest.fixture(scope="module", params=list(Apart))
def broker(tmp_path_factory, request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESKSTREAM_EXTRA_CHANNELS", "pager")
        guarded = Guarded(tmp_path_factory.mktemp("guarded"), request.param)
    yield guarded
    guarded.server.stop()
