"""A floor of agents on which stories are told without a database."""

from dataclasses import dataclass, field

from deskstream.contracts.chain_facts import PartFacts
from deskstream.contracts.facts import Priority, Stage
from deskstream.contracts.ids import TeamId
from deskstream.contracts.parts import PartStaffed
from deskstream.contracts.routing import OwnerChosen, RuleFacts, SaveAgent
from deskstream.routing.domain import (
    NOTHING,
    Asked,
    Floor,
    Policy,
    Restaffed,
    Team,
    Told,
    Woken,
    concerns,
    decide,
    due,
    evolve,
)
from deskstream.routing.matching import CompiledRules
from services.routing.tests.conversations import Conversations, id_of

POLICY = Policy(
    team=TeamId("support"),
    capacity=10,
    weights={Stage.NEW: 1, Stage.NEEDS_RESPONSE: 1},
    tiers={"enterprise": Priority.HIGH, "free": Priority.LOW},
)


@dataclass
class Desk:
    """`log` has every assignment."""

    says: Conversations = field(default_factory=Conversations)
    floor: Floor = field(
        default_factory=lambda: Floor(POLICY, teams={TeamId("support"): Team(), TeamId("billing"): Team()})
    )
    rules: CompiledRules = field(default_factory=lambda: CompiledRules(0, ()))
    log: list[OwnerChosen] = field(default_factory=list)
    parts: dict[int, PartStaffed] = field(default_factory=dict)
    """What was last told of each part."""

    def with_rules(self, *rules):
        self.rules = CompiledRules(self.rules.version + 1, [RuleFacts(**rule) for rule in rules])
        return self

    def agent(self, agent, **fields):
        return self.ask(SaveAgent(agent=agent, name=agent.title(), **fields))

    def hear(self, said):
        self.floor = evolve(self.floor, said)
        message = Told(said, self.rules) if concerns(said) else NOTHING
        return self._take(decide(self.floor, message, self.says.now))

    def part(self, number, **facts):
        """A part is made, or is staffed anew."""
        part = {"id": id_of(f"PART-{number}"), "number": number, "version": 1, "name": f"part {number}"}
        after = PartFacts(**part | {"kind": "feature"} | facts)
        self.parts[number] = PartStaffed(part_id=after.id, at=self.says.now, after=after)
        self.floor = evolve(self.floor, self.parts[number])
        return self._take(decide(self.floor, Restaffed(), self.says.now))

    def ask(self, command, actor=None, carried=0):
        return self._take(decide(self.floor, Asked(command, actor, carried), self.says.now))

    def wake(self):
        return self._take(decide(self.floor, Woken(), self.says.now))

    def due(self):
        return due(self.floor)

    def opens(self, name, **how):
        return self.hear(self.says.opened(name, **how))

    def owner(self, name):
        return self.floor.assignments[id_of(name)].owner

    def load(self, agent):
        return self.floor.agents[agent].load

    def _take(self, said):
        for event in said:
            self.floor = evolve(self.floor, event)
        chosen = [event for event in said if isinstance(event, OwnerChosen)]
        self.log += chosen
        return chosen
