"""Deliveries of the gifting pack: the public files where they are present, else files of their shape.

Headerless but for the orders, tabs in three files and commas in the others, ZIP codes that lost their zeros, and lines of
expenditure whose recipient, client or gift nobody knows.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from settings import ROOT

PUBLIC = ROOT.parent / "shared" / "data" / "alyce"
ORDERS = "order_id,client_id,service_id,gift_id,gift_cost,total_gifts,total_amount,fee,variable_cost,total_revenue,month,year,date"
PLACES = [("WILMINGTON", "DE", "19803"), ("SAN JUAN", "PR", "902"), ("BOSTON", "MA", "2108"), ("MIAMI", "FL", "33101")]  # fmt: skip


def deliver(landing: Path, seed: int = 3) -> None:
    """Write the seven files into a landing zone, stamped before any second round."""
    for name, text in (shapes(seed) if not PUBLIC.exists() else dict.fromkeys(shapes(seed), "")).items():
        target = landing / f"alyce_{name}" / f"alyce_{name}__20260901T000000Z.csv"
        target.parent.mkdir(parents=True, exist_ok=True)
        if text:
            target.write_text(text)
        else:
            shutil.copy(PUBLIC / f"alyce_{name}.csv", target)


def shapes(seed: int) -> dict[str, str]:
    """Text of each file: 40 clients and recipients, 6 gifts, 400 lines of expenditure with 5 orphans, 300 orders."""
    rng = random.Random(seed)

    def people(first: int) -> str:
        return "".join(
            "\t".join([str(first + n), f"Name {first + n} Inc", "Industrials", *PLACES[n % len(PLACES)]])
            + "\n"
            for n in range(40)
        )

    spent = []
    for n in range(400):
        ids = [8000 + rng.randrange(40), 100 + rng.randrange(40), 11 + rng.randrange(6)]
        if n < 5:
            ids[n % 3] = 99_999
        status = rng.choice(["Accepted\tYes", "InProgress\tMaybe", "Expired\tNo"])
        spent.append(f"{ids[0]}\t{ids[1]}\t{ids[2]}\t{rng.randint(1, 20)}\t{rng.randint(5, 120)}\t{status}\n")
    engaged, orders = [], [ORDERS + "\n"]
    for n in range(300):
        client, service, gifts = 100 + rng.randrange(40), 1 + n % 3, rng.randint(1, 60)
        amount = gifts * rng.randint(10, 90)
        month, year = 1 + n % 12, 2025 + n % 2
        engaged.append(f"{client},{service},{gifts},{amount}\n")
        orders.append(
            f"{11110 + n},{client},{service},{11 + rng.randrange(6)},{amount / gifts:.2f},{gifts},{amount},{amount * 0.2:.1f},"
            f"{amount // 4},{amount * 1.2:.1f},{month},{year},{month}-{year}\n"
        )
    return {
        "client": people(100),
        "recipient": people(8000),
        "giftdata": "".join(f"{11 + n},Gift {n}\n" for n in range(6)),
        "services": "1,Swag Select\n2,One to One Gifting\n3,Events\n",
        "clientexpenditure": "".join(spent),
        "facts": "".join(engaged),
        "facts_final": "".join(orders),
    }
