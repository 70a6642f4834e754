"""What outlives a closing: follow-ups (C10), owners (R5), and a priority set by hand."""

import pytest

from deskstream.contracts import conversation as asked
from deskstream.contracts.conversation import MessagePassedOn
from deskstream.contracts.facts import AccountFacts, Priority, Resolution, Stage, WorkspaceFacts
from deskstream.contracts.ids import AccountId, WorkspaceId
from deskstream.contracts.linked import SpeaksFor, TicketStage
from deskstream.contracts.ticket_talk import CustomerAnswered
from deskstream.conversation.domain import Unopened
from deskstream.conversation.domain.messages import Incoming
from services.conversation.tests.given import (
    ADA,
    BOB,
    FOLLOW_UP,
    ID,
    OUT_OF_OFFICE,
    TKT_7,
    TKT_8,
    TKT_9,
    Story,
    chosen,
    in_stage,
    letter,
    names,
    new_id,
    outbound,
    passed_on,
    person,
    report,
)

NEW = Stage.NEW
ARCHIVED, SUSPENDED = Stage.ARCHIVED, Stage.SUSPENDED

ACME = AccountFacts(id=AccountId(new_id()), name="Acme", tier="gold")
PRODUCTION = WorkspaceFacts(id=WorkspaceId(new_id()), name="production")


# Follow-ups


def archived(**more):
    story = Story()
    story.customer(**more)
    story.absorb(chosen("anna"))
    story.archive()
    return story


def follow_up_of(event):
    story = Story(id=event.follow_up_id, now=event.at)
    return story, story.tell(passed_on(event))


def test_c10_an_answer_to_an_archived_conversation_opens_a_linked_one():
    earlier = archived()
    message = letter("It is back", at=earlier.now)
    [needed, handed] = earlier.tell(Incoming(ID, message, FOLLOW_UP, ADA, ACME, PRODUCTION))
    assert (needed.stage_before, needed.after.stage, needed.follow_up_id) == (ARCHIVED, ARCHIVED, FOLLOW_UP)
    _, [opened] = follow_up_of(handed)
    assert (opened.after.stage, opened.after.follow_up_of, opened.after.id) == (NEW, ID, FOLLOW_UP)
    assert (opened.after.contact, opened.after.account, opened.after.workspace) == (ADA, ACME, PRODUCTION)
    assert (opened.message, opened.after.title) == (message, "It is back")


def test_r5_a_follow_up_names_the_earlier_owner_and_has_none_yet():
    [_, handed] = archived().customer()
    _, [opened] = follow_up_of(handed)
    assert (opened.after.owner, opened.after.earlier_owner) == (None, "anna")


def test_r5_the_earlier_owner_survives_a_follow_up_that_nobody_owned():
    [_, handed] = archived().customer()
    later, _ = follow_up_of(handed)
    later.archive()
    _, [opened] = follow_up_of(later.customer()[-1])
    assert opened.after.earlier_owner == "anna"


def test_c10_what_comes_later_goes_to_the_same_follow_up():
    earlier = archived()
    [needed, first] = earlier.customer("one")
    [again, second] = earlier.customer("two")
    assert needed.follow_up_id == again.follow_up_id
    later, _ = follow_up_of(first)
    [said] = later.tell(passed_on(second))
    assert (said.NAME, said.message.text, said.after.stage) == ("customer_replied", "two", NEW)


def test_c10_a_follow_up_that_is_archived_too_passes_on_again():
    earlier = archived()
    later, _ = follow_up_of(earlier.customer()[-1])
    later.archive()
    [again, handed] = later.tell(passed_on(earlier.customer()[-1]))
    assert again.NAME == "follow_up_needed"
    assert len({earlier.id, later.id, again.follow_up_id}) == 3
    _, [opened] = follow_up_of(handed)
    assert opened.after.follow_up_of == later.id


def test_a_follow_up_belongs_to_the_requester_whoever_wrote():
    earlier = archived()
    [_, handed] = earlier.customer(
        sender=person("m@evil.example"), contact=BOB, verified=False, copied=(person("x@evil.example"),)
    )
    later, [opened] = follow_up_of(handed)
    assert (opened.after.contact, later.open.requester) == (ADA, person())
    assert [(p.identity.email, p.verified) for p in later.open.participants] == [("m@evil.example", False)]
    [sent] = outbound(later.reply())
    assert (sent.to, sent.copied, sent.in_reply_to) == (person(), (), None)


def test_what_follows_up_spam_waits_for_a_reviewer():
    earlier = in_stage(SUSPENDED)
    [verdict] = earlier.review("spam")
    assert (verdict.after.resolution, verdict.after.tags) == (Resolution.SPAM, {"resolution": "spam"})
    _, [opened] = follow_up_of(earlier.customer()[-1])
    assert (opened.after.stage, opened.message.suspicious) == (SUSPENDED, ("follows up what was spam",))


def test_automatic_mail_to_an_archived_conversation_is_filed_there():
    assert names(archived().customer(automatic=OUT_OF_OFFICE)) == ["automatic_message_filed"]


# Tickets, which go on in the follow-up


def with_ticket(stage=TicketStage.PENDING, *, spoken_for=True):
    """An archived conversation with TKT-7, which its last reply spoke for, and TKT-8, which is on hold."""
    story = Story()
    story.customer()
    report(story, TKT_7, 7)
    report(story, TKT_8, 8, TicketStage.ON_HOLD)
    story.reply(speaks_for=(SpeaksFor(ticket_id=TKT_7, asks="information"),) if spoken_for else ())
    report(story, TKT_7, 7, stage)
    story.archive()
    return story


def answered(said):
    told = [event for event in said if isinstance(event, CustomerAnswered)]
    return {event.ticket_id: (event.concerns, event.conversation.id, event.passed_on) for event in told}


@pytest.mark.parametrize(
    ("stage", "other"),
    [
        pytest.param(TicketStage.PENDING, "perhaps", id="W3: a pending one"),
        pytest.param(TicketStage.CLOSED, "only_one", id="W4: a closed one"),
    ],
)
def test_the_tickets_of_an_archived_conversation_hear_the_answer_from_its_follow_up(stage, other):
    earlier = with_ticket(stage)
    said = earlier.customer("Version 1.2.", solved=False)
    assert answered(said) == {}
    later, opened = follow_up_of(said[-1])
    assert names(opened) == ["conversation_opened", "customer_answered", "customer_answered"]
    assert answered(opened) == {TKT_7: ("this_ticket", later.id, True), TKT_8: (other, later.id, True)}
    assert {one.ticket_id: (one.stage, one.solved) for one in opened[1:]} == {
        TKT_7: (stage, False),
        TKT_8: ("on_hold", False),
    }


def test_w3_what_is_written_to_the_archived_one_later_is_about_its_tickets_and_no_others():
    earlier = with_ticket()
    later, _ = follow_up_of(earlier.customer()[-1])
    report(later, TKT_8, 8, TicketStage.ON_HOLD)
    report(later, TKT_9, 9)
    later.reply(speaks_for=(SpeaksFor(ticket_id=TKT_9),))
    said = later.tell(passed_on(earlier.customer()[-1]))
    assert {ticket: concerns for ticket, (concerns, _, _) in answered(said).items()} == {
        TKT_7: "this_ticket",
        TKT_8: "perhaps",
        TKT_9: "perhaps",
    }
    assert answered(later.customer())[TKT_9] == ("this_ticket", later.id, False)


def test_w3_where_nobody_is_sure_the_only_ticket_of_the_follow_up_may_be_meant_all_the_same():
    earlier = with_ticket(spoken_for=False)
    later, _ = follow_up_of(earlier.customer()[-1])
    report(later, TKT_9, 9)
    said = later.tell(passed_on(earlier.customer()[-1]))
    assert [concerns for concerns, _, _ in answered(said).values()] == ["perhaps", "perhaps", "only_one"]


def test_w3_tickets_hear_of_an_answer_through_two_archived_conversations():
    earlier = with_ticket()
    later, _ = follow_up_of(earlier.customer()[-1])
    later.archive()
    last, opened = follow_up_of(later.tell(passed_on(earlier.customer()[-1]))[-1])
    assert answered(opened)[TKT_7] == ("this_ticket", last.id, True)


def test_p15_a_stranger_s_words_to_an_archived_conversation_move_no_ticket():
    [_, handed] = with_ticket().customer(sender=person("m@evil.example"), contact=None, verified=False)
    assert names(follow_up_of(handed)[1]) == ["conversation_opened"]


def test_what_an_earlier_version_passed_on_opens_a_follow_up_and_moves_no_ticket():
    [_, handed] = with_ticket().customer()
    old = MessagePassedOn.model_validate_json(handed.model_dump_json(exclude={"tickets"}))
    assert names(follow_up_of(old)[1]) == ["conversation_opened"]


# Owner and priority


def test_routing_names_owner_and_priority_and_nothing_is_said_of_it():
    story = in_stage(NEW)
    story.absorb(chosen("anna", priority=Priority.HIGH))
    assert (story.facts.owner, story.facts.priority, story.facts.version) == ("anna", Priority.HIGH, 1)
    assert story.reply()[0].after.owner == "anna"


def test_r5_a_reopened_conversation_keeps_its_owner():
    story = in_stage(NEW)
    story.absorb(chosen("anna"))
    story.resolve()
    assert story.customer()[0].after.owner == "anna"


def test_a_persons_priority_holds_against_routing_s():
    story = in_stage(NEW)
    [said] = story.ask(asked.SetPriority, priority=Priority.NORMAL)
    assert (said.before, said.after.priority) == (Priority.NORMAL, Priority.NORMAL)
    story.absorb(chosen("anna", priority=Priority.LOW))
    assert (story.facts.owner, story.facts.priority) == ("anna", Priority.NORMAL)
    assert story.ask(asked.SetPriority, priority=Priority.NORMAL) == []


def test_an_owner_for_a_conversation_that_does_not_exist_is_harmless():
    story = Story()
    story.absorb(chosen("anna"))
    assert story.state == Unopened(ID, 12)
