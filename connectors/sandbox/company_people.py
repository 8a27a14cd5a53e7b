"""Who works in the made-up company: one head, four directors, forty team managers, their people, and machines.

Decides the reporting chain, the forty teams (sys_user_group with manager and parent; four of them stand for a division,
one is the change advisory board) and how skilled everybody really is. Teams differ, and people differ inside a team.
"""

from dataclasses import dataclass, field

from connectors.sandbox.company_book import Book
from connectors.sandbox.company_hours import DAY
from connectors.sandbox.company_names import CAB, CRAFTS, DIVISIONS, FIRST, LAST, MACHINES

PEOPLE, TEAMS = 400, 40
JOINED = 20 * DAY  # the directory was loaded in January 2024


@dataclass(slots=True)
class Person:
    sys_id: str
    user_name: str
    skill: float


@dataclass(slots=True)
class Team:
    sys_id: str
    name: str
    skill: float
    manager: Person
    members: list[Person] = field(default_factory=list)


@dataclass(slots=True)
class Staff:
    people: list[Person]
    machines: list[Person]
    teams: list[Team]  # the four division teams first, then the board, then those who run services
    directors: list[Person]

    @property
    def board(self) -> Team:
        return self.teams[len(DIVISIONS)]

    @property
    def service_teams(self) -> list[Team]:
        return self.teams[len(DIVISIONS) + 1 :]


def hire(book: Book) -> Staff:
    """Everybody, with the manager chain: head, directors, team managers, team members."""
    skills = [book.rng.gauss(0, 1) for _ in range(TEAMS)]
    names = _names(book)
    head = _person(book, 1, names[0], "Head of IT", "", 0.0)
    directors = [
        _person(book, 2 + d, names[1 + d], f"Director {DIVISIONS[d]}", head.sys_id, 0.0) for d in range(len(DIVISIONS))
    ]
    people = [head, *directors]
    teams: list[Team] = []
    for number in range(TEAMS):
        boss = directors[number % len(directors)]
        employee = len(people) + 1
        manager = _person(book, employee, names[employee - 1], "Team manager", boss.sys_id, skills[number])
        people.append(manager)
        teams.append(_team(book, number, manager, teams, skills[number]))
    for employee in range(len(people) + 1, PEOPLE + 1):
        team = teams[employee % TEAMS]
        skill = team.skill + book.rng.gauss(0, 0.6)
        person = _person(book, employee, names[employee - 1], "Engineer", team.manager.sys_id, skill)
        people.append(person)
        team.members.append(person)
    machines = [_machine(book, name) for name in MACHINES]
    _enrol(book, teams)
    return Staff(people, machines, teams, directors)


def _names(book: Book) -> list[tuple[str, str]]:
    pairs = [(first, last) for last in LAST for first in FIRST]
    book.rng.shuffle(pairs)
    return pairs[:PEOPLE]


def _person(book: Book, employee: int, name: tuple[str, str], title: str, manager: str, skill: float) -> Person:
    sys_id = book.new_id("sys_user")
    login = f"{name[0]}.{name[1]}".lower()
    book.truth.person_skill[sys_id] = round(skill, 6)
    row = {
        "user_name": login, "name": f"{name[0]} {name[1]}", "first_name": name[0], "last_name": name[1],
        "title": title, "email": f"{login}@tarnhelm.example", "employee_number": f"E{10000 + employee}",
        "active": "true", "locked_out": "false", "vip": "false", "manager": manager, "department": "", "company": "",
        "location": "", "cost_center": f"CC{100 + employee % TEAMS}", "schedule": "", "time_zone": "GMT",
        "source": "hr", "identity_type": "human", "web_service_access_only": "false",
        "internal_integration_user": "false", "last_login_time": "",
    }  # fmt: skip
    book.write("sys_user", sys_id, row, [(JOINED + employee, "import.hr", {})])
    return Person(sys_id, login, skill)


def _machine(book: Book, name: str) -> Person:
    sys_id = book.new_id("sys_user")
    row = {
        "user_name": name, "name": name, "first_name": "", "last_name": name, "title": "", "email": "",
        "employee_number": "", "active": "true", "locked_out": "false", "vip": "false", "manager": "",
        "department": "", "company": "", "location": "", "cost_center": "", "schedule": "", "time_zone": "GMT",
        "source": "", "identity_type": "machine", "web_service_access_only": "true",
        "internal_integration_user": "true", "last_login_time": "",
    }  # fmt: skip
    book.write("sys_user", sys_id, row, [(JOINED, "admin", {})])
    return Person(sys_id, name, 0.0)


def _team(book: Book, number: int, manager: Person, teams: list[Team], skill: float) -> Team:
    sys_id = book.new_id("sys_user_group")
    division = DIVISIONS[number % len(DIVISIONS)]
    place = number // len(DIVISIONS)
    name = CAB if number == len(DIVISIONS) else f"{division} {'Office' if place == 0 else CRAFTS[place - 1]}"
    parent = teams[number % len(DIVISIONS)].sys_id if place else ""
    book.truth.team_skill[sys_id] = round(skill, 6)
    row = {
        "name": name, "description": "", "manager": manager.sys_id, "parent": parent, "type": "",
        "email": f"team{number + 1}@tarnhelm.example", "default_assignee": "", "cost_center": f"CC{100 + number}",
        "roles": "", "source": "", "include_members": "false", "exclude_manager": "false", "active": "true",
    }  # fmt: skip
    book.write("sys_user_group", sys_id, row, [(JOINED + 500 + number, "import.hr", {})])
    return Team(sys_id, name, skill, manager)


def _enrol(book: Book, teams: list[Team]) -> None:
    """Everybody is in the own team; one in ten also in another one."""
    second = JOINED + DAY
    for number, team in enumerate(teams):
        other = teams[(number + 7) % len(teams)]
        guests = [person for person in other.members if book.rng.random() < 0.1]
        for person in (team.manager, *team.members, *guests):
            second += 1
            row = {"user": person.sys_id, "group": team.sys_id}
            book.write("sys_user_grmember", book.new_id("sys_user_grmember"), row, [(second, "import.hr", {})])
