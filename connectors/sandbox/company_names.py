"""Words from which the made-up company is named. Any likeness to a real person or firm is chance."""

_FIRST = (
    "Ada Amir Anouk Arvid Bela Bruno Carmen Chidi Clara Dalia Dario Edda Elif Emil Esra Farid Fiona Gesa Goran Hana "
    "Hugo Ilse Imran Iris Ivo Jana Jaro Kaia Kenji Lale Leon Lina Lucan Mads Mara Milo Nadia Nils Nora Odin Olga Omar "
    "Petra Quinn Rafa Rania Rosa Samir Sena Silas Tara Theo Ulla Vera Viktor Wanda Yara Yusuf Zita Zora"
)
_LAST = (
    "Abend Adeyo Almstad Arroyo Bachtal Belmar Brandvik Cardoza Castellin Dahlqvist Demirsoy Dorfner Eklind Esterhaz "
    "Farrokh Feldmark Galvani Greifen Halvorn Hashemi Hollmann Ibarro Ivanek Jankov Jorgal Kaltner Kimura Kowalt "
    "Lagerby Lindros Marchand Mbeki Moravec Nakatomi Nesbo Oduya Okafor Ortlieb Palmgren Petrak Quistor Rautio Reyland "
    "Rosental Sandoz Severin Sharif Tamura Thorwald Tovar Ulmer Urbano Valdis Vantongeren Weidlich Wolfram Xanthis "
    "Yamadori Zanetto Zielke"
)
FIRST, LAST = _FIRST.split(), _LAST.split()
MACHINES = ("flow.engine", "event.bridge", "autoheal", "import.hr", "mid.server", "evenhand.integration")

DIVISIONS = ("Core Infrastructure", "Business Applications", "Digital Workplace", "Data and Integration")
CRAFTS = (
    "Operations", "Engineering", "Platform", "Support Desk", "Reliability", "Release", "Database", "Network",
    "Security",
)  # fmt: skip
CAB = "Change Advisory Board"

# name, criticality, age in years, complexity (standard deviations), quality (more is better), run in Jira
SERVICES = (
    ("Order Hub", "1 - most critical", 14, 1.6, -0.8, False),
    ("Payment Gateway", "1 - most critical", 6, 0.9, 0.6, False),
    ("Warehouse Control", "1 - most critical", 19, 1.9, -1.1, False),
    ("Customer Portal", "2 - somewhat critical", 4, 0.2, 0.4, False),
    ("Identity and Access", "1 - most critical", 8, 0.7, 0.9, False),
    ("Mail and Calendar", "2 - somewhat critical", 11, -0.4, 0.8, False),
    ("Field Mobile", "3 - less critical", 3, -0.2, -0.5, False),
    ("Document Archive", "4 - not critical", 16, -0.9, 0.3, False),
    ("Price Engine", "2 - somewhat critical", 9, 1.1, -0.2, False),
    ("Print and Scan", "4 - not critical", 12, -1.5, -0.6, False),
    ("Data Lakehouse", "3 - less critical", 2, 0.5, 0.1, True),
    ("Developer Platform", "2 - somewhat critical", 3, 0.3, 0.7, True),
)
VENDORS = ("Nordlicht Hosting", "Calanda Networks", "Brightwater Systems")
SYMPTOMS = (
    "does not answer", "is slow", "shows an error page", "loses the session", "rejects the login", "misses records",
    "times out on save", "sends duplicates", "shows stale data", "cannot print",
)  # fmt: skip
CATEGORIES = (("software", "application"), ("hardware", "server"), ("network", "connection"), ("database", "query"),
              ("inquiry", "access"))  # fmt: skip
CHANGE_TITLES = (
    "Patch operating system", "Raise connection pool", "Rotate certificates", "Deploy release", "Move storage volume",
    "Change firewall rule", "Upgrade database", "Switch load balancer", "Adjust batch window", "Replace node",
)  # fmt: skip
