"""R3, R4, W14: people behind a part come first where the team says so, and share its load where it says that, too."""

import pytest

from deskstream.contracts.routing import Cause, HandOver, SaveAgent, SaveRule, SaveTeam

EXPORTS = {"name": "exports", "words": ("export",), "part": "PART-9"}
STAFF = {"first_expert": "eva", "second_expert": "finn", "owners": ("olga", "oskar")}


def staffed(desk, structure, *, planned_owners=False, **part):
    """Anna of support, everybody else of billing, and a rule that says which conversations are about PART-9."""
    desk.with_rules(EXPORTS)
    desk.ask(SaveTeam(team="support", structure=structure, planned_owners=planned_owners))
    desk.agent("anna", team="support")
    for agent in ("eva", "finn", "olga", "oskar"):
        desk.agent(agent, team="billing")
    desk.part(9, **STAFF | part)
    return desk


def about(desk, name, text="My export is empty"):
    """Who gets it, and why."""
    [chosen] = desk.opens(name, text=text)
    return chosen


@pytest.mark.parametrize(
    ("structure", "away", "owner", "why"),
    [
        pytest.param("chaos", (), "anna", "carries least", id="R3: chaos looks at no part"),
        pytest.param("product_centric", (), "eva", "is first expert of PART-9", id="R3: the first expert"),
        pytest.param("product_centric", ("eva",), "finn", "is second expert of PART-9", id="R3: else the second"),
        pytest.param("product_centric", ("eva", "finn"), "anna", "carries least", id="R3: else the team passes it on"),
        pytest.param("part_owners", (), "olga", "owns PART-9", id="R4: who owns the part"),
        pytest.param("part_owners", ("olga",), "oskar", "owns PART-9", id="R4: another owner"),
        pytest.param("part_owners", ("olga", "oskar"), "anna", "carries least", id="R4: else whoever shares the load"),
    ],
)
def test_who_is_asked_first(desk, structure, away, owner, why):
    staffed(desk, structure)
    for agent in away:
        desk.agent(agent, availability="away")
    chosen = about(desk, "case")
    assert (chosen.cause, chosen.owner, chosen.part, chosen.team) == (Cause.TEAM_STRUCTURE, owner, 9, "support")
    assert why in chosen.reason
    assert chosen.record.inputs["part"] == "PART-9 part 9"
    passed_over = {person.agent: person.why for person in chosen.record.candidates if not person.chosen}
    assert all("but is away" in passed_over[agent] for agent in away)


@pytest.mark.parametrize(
    ("structure", "maturity", "planned_owners", "shares"),
    [
        pytest.param("part_owners", "supported", False, True, id="R4: owners of what customers use share all else"),
        pytest.param("part_owners", "planned", False, False, id="W14: owners of planned parts do not"),
        pytest.param("part_owners", "planned", True, True, id="W14: unless the team says so"),
        pytest.param("chaos", "supported", True, False, id="W14: planned parts only, in a team with staff of its own"),
        pytest.param("chaos", "planned", False, False, id="W14: not by themselves"),
        pytest.param("chaos", "planned", True, True, id="W14: where such a team says so"),
        pytest.param("product_centric", "planned", True, True, id="W14: in a product-centric team, too"),
    ],
)
def test_who_shares_the_load_of_a_team(desk, structure, maturity, planned_owners, shares):
    staffed(desk, structure, planned_owners=planned_owners, maturity=maturity)
    owners = {about(desk, f"case {number}", text="No part").owner for number in range(3)}
    assert owners == ({"anna", "olga", "oskar"} if shares else {"anna"})


def test_w14_who_owns_a_planned_part_is_asked_about_it_all_the_same(desk):
    staffed(desk, "part_owners", maturity="planned")
    assert about(desk, "case").owner == "olga"


def test_w14_who_owns_another_part_as_well_shares_the_load(desk):
    staffed(desk, "part_owners", maturity="planned")
    desk.part(10, owners=("olga",))
    assert {about(desk, f"case {number}", text="No part").owner for number in range(3)} == {"anna", "olga"}


def test_r3_the_nearest_part_above_that_has_experts_speaks_for_it(desk, id_named):
    staffed(desk, "product_centric")
    desk.part(8, first_expert="olga")
    desk.part(9, first_expert=None, second_expert=None, parent=id_named("PART-8"))
    assert about(desk, "case").owner == "olga"


@pytest.mark.parametrize(
    "part",
    [
        pytest.param({"deleted": {"at": "2026-05-04T09:00:00Z", "reason": "old"}}, id="a deleted part"),
        pytest.param({"first_expert": "nobody", "second_expert": None}, id="an expert whom routing does not know"),
        pytest.param({"first_expert": None, "second_expert": None}, id="a part without experts"),
    ],
)
def test_r3_without_experts_the_team_takes_it(desk, part):
    staffed(desk, "product_centric", **part)
    assert about(desk, "case").owner == "anna"


def test_r3_a_part_that_nobody_told_of_is_named_in_the_record(desk):
    staffed(desk, "product_centric")
    desk.with_rules(EXPORTS | {"part": "PART-77"})
    chosen = about(desk, "case")
    assert (chosen.owner, chosen.record.inputs["part"]) == ("anna", "PART-77")


def test_parts_that_stand_in_a_circle_end_the_search(desk, id_named):
    staffed(desk, "product_centric", first_expert=None, second_expert=None, parent=id_named("PART-8"))
    desk.part(8, parent=id_named("PART-9"))
    assert about(desk, "case").owner == "anna"


@pytest.mark.parametrize(
    "frees",
    [
        pytest.param(lambda desk: desk.agent("eva", capacity=1), id="R6: an expert of another team is free"),
        pytest.param(lambda desk: desk.part(9, first_expert="finn"), id="W14: the part gets another expert"),
    ],
)
def test_what_waits_is_given_to_an_expert_the_moment_one_is_free(desk, frees):
    staffed(desk, "product_centric", second_expert=None)
    desk.agent("anna", capacity=0)
    desk.agent("eva", capacity=0)
    assert about(desk, "other", text="No part").owner is None
    desk.says.later(seconds=1)
    assert about(desk, "case").owner is None
    [chosen] = frees(desk)
    assert (chosen.cause, chosen.number, chosen.part) == (Cause.CAPACITY_FREED, 2, 9)
    assert desk.owner("other") is None


def test_w14_what_waits_is_given_out_when_the_team_lets_owners_of_planned_parts_share(desk):
    staffed(desk, "chaos", maturity="planned")
    desk.agent("anna", capacity=0)
    about(desk, "case", text="No part")
    said = desk.ask(SaveTeam(team="support", planned_owners=True))
    assert [(one.cause, one.owner) for one in said] == [(Cause.CAPACITY_FREED, "olga")]


def test_r5_a_hand_over_keeps_the_part(desk, id_named):
    staffed(desk, "product_centric")
    about(desk, "case")
    [chosen] = desk.ask(HandOver(conversation_id=id_named("case"), to="anna", reason="She knows them"))
    assert (chosen.owner, chosen.part) == ("anna", 9)


async def test_parts_teams_and_cases_come_back_from_the_database(replicas, says, desk):
    desk.part(9, **STAFF | {"maturity": "planned"})
    await replicas.hear(desk.parts[9])
    await replicas.ask(SaveTeam(team="support", structure="product_centric"), SaveTeam(team="billing"))
    await replicas.ask(SaveRule(**EXPORTS))
    await replicas.ask(*(SaveAgent(agent=agent, capacity=1, team="billing") for agent in ("eva", "finn", "olga")))
    await replicas.ask(SaveAgent(agent="anna", capacity=0, team="support"))
    for name in ("one", "two", "three"):
        await replicas.hear(says.later(seconds=1).opened(name, text="My export is empty"))
    assert await replicas.owners() == {1: "eva", 2: "finn", 3: None}
    desk.part(9, **STAFF | {"second_expert": "olga"})
    await replicas.hear(desk.parts[9])
    assert await replicas.owners() == {1: "eva", 2: "finn", 3: "olga"}
    rows = await replicas.pool.fetch("SELECT part FROM assignments")
    assert [row["part"] for row in rows] == [9, 9, 9]


async def test_w14_planned_owners_are_kept_of_the_team(replicas):
    [saved] = await replicas.ask(SaveTeam(team="support", planned_owners=True))
    assert saved.result == {"team_id": "support", "structure": "chaos", "planned_owners": True}
    rows = await replicas.pool.fetch("SELECT structure, planned_owners FROM teams WHERE id = 'support'")
    assert [tuple(row) for row in rows] == [("chaos", True)]
