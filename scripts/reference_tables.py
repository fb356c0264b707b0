"""Write the columns of the files and the definitions of tables into docs/, from the fields of ``client.orders``.

``--check`` writes nothing and fails if a page is not up to date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from paginator_tables import replaced

from airflow_provider_kapture.client.orders import ORDER_FIELDS, FieldType

DOCS = Path(__file__).parents[1] / "docs"
WIDTH = 130

PARQUET = {
    FieldType.INTEGER: "int64",
    FieldType.INSTANT: "timestamp[ms, UTC]",
    FieldType.AMOUNT: "decimal(38, 6)",
    FieldType.FLAG: "bool",
    FieldType.TEXT: "string",
}
SQL = {
    FieldType.INTEGER: "bigint",
    FieldType.INSTANT: "timestamp",
    FieldType.AMOUNT: "decimal(38,6)",
    FieldType.FLAG: "boolean",
    FieldType.TEXT: "text",
}

# As the names say; the vendor's page does not explain them.
MEANINGS = {
    "id": "the order",
    "cmId": "the account",
    "customerId": "the customer",
    "enquiryId": "the enquiry that the order came from",
    "createDate": "when the order was created: what a window is about",
    "creatorId": "the user who created it",
    "productQuantity": "quantity",
    "productValue": "value of the products",
    "discount": "discount",
    "remarks": "remarks of users",
    "deliveryStatus": "status, such as `AP`",
    "lastModificationTime": "when the order was last changed",
    "unitId": "the unit",
    "blockId": "the block",
    "zoneId": "the zone",
    "basePrice": "base price",
    "serviceTax": "service tax",
    "bookingAmount": "amount of the booking",
    "retainerFrequency": "frequency of a retainer",
    "retainerAmount": "amount of a retainer",
    "subOfficeId": "the branch office",
    "retainerCreditPeriod": "credit period of a retainer",
    "parentOrderId": "the order that this one belongs to",
    "assignedToId": "the user it is assigned to",
    "invoiceSent": "whether the invoice was sent",
    "commissionAmount": "commission",
    "totalSaleableArea": "saleable area",
    "builderInvoiceId": "the builder's invoice",
    "enquiryAssignedTo": "the user whom the enquiry is assigned to",
    "sellingPrice": "selling price",
    "cess": "cess, an additional tax",
    "extraCharges": "extra charges",
    "warrantyInDays": "warranty in days",
    "parentCustomerId": "the customer that this one belongs to",
    "checkedIn": "whether the customer has checked in",
    "includeInterest": "whether interest is included",
    "channelId": "the channel of the sale",
    "deliveredOrderId": "the delivered order",
    "commissionPaidAmount": "commission that was paid",
    "onwardCruiseId": "the outward cruise",
    "returnCruiseId": "the return cruise",
    "approvedByEmployeeId": "the employee who approved it",
    "vatamount": "value added tax",
}


def columns() -> str:
    """Return the columns of CSV and Parquet as Markdown."""
    rows = [f"| `{name}` | {PARQUET[kind]} | {MEANINGS[name]} |" for name, kind in ORDER_FIELDS.items()]
    rows.append("| `_rescued` | string | JSON of what has no column or does not fit its column |")
    return "\n".join(["| Column | Type in Parquet | Meaning |", "|---|---|---|", *rows])


def definition(before: str, after: str, types: Mapping[FieldType, str], quote: str = "") -> str:
    """Return the columns of a table between the words before and after them, a few columns a line."""
    cells = [f"{name} {types[kind]}" for name, kind in ORDER_FIELDS.items()]
    cells.append(f"{quote}_rescued{quote} {types[FieldType.TEXT]}")
    lines = [""]
    for cell in cells:
        if len(lines[-1]) + len(cell) > WIDTH:
            lines.append("")
        lines[-1] += f"{cell}, "
    text = "\n".join(f"  {line.rstrip()}" for line in lines).rstrip(",")
    return f"{before} (\n{text}\n){after}"


def block(mark: str, code: str) -> str:
    """Return SQL as a block, with the mark that says what runs it."""
    return f"<!-- {mark} -->\n```sql\n{code}\n```"


def athena() -> str:
    """Return the definition of Athena's external table."""
    after = "\nPARTITIONED BY (create_date date) STORED AS PARQUET LOCATION 's3://bucket/orders/';"
    after += "\nMSCK REPAIR TABLE orders;"
    types = {**SQL, FieldType.TEXT: "string"}
    return block("not run: needs an AWS account", definition("CREATE EXTERNAL TABLE orders", after, types, "`"))


def redshift() -> str:
    """Return the definition of Redshift's tables."""
    after = ";\nCREATE TABLE orders (LIKE pulled);\nALTER TABLE orders ADD COLUMN create_date date;"
    types = {**SQL, FieldType.TEXT: "varchar(65535)"}
    return block("not run: needs an AWS account", definition("CREATE TABLE pulled", after, types))


def postgresql() -> str:
    """Return the definition of PostgreSQL's tables."""
    types = {**SQL, FieldType.INSTANT: "timestamptz"}
    after = ";\nCREATE TABLE orders (LIKE pulled, create_date date NOT NULL);\nCREATE INDEX ON orders (create_date);"
    return block("run by tests/docs/test_warehouses.py", definition("CREATE TABLE pulled", after, types))


TABLES: Mapping[tuple[str, str], Callable[[], str]] = {
    ("reference.md", "columns"): columns,
    ("warehouses.md", "athena"): athena,
    ("warehouses.md", "redshift"): redshift,
    ("warehouses.md", "postgresql"): postgresql,
}


def main() -> None:
    """Write the tables, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    is_check = parser.parse_args().check
    for (name, mark), table in TABLES.items():
        page = DOCS / name
        before = page.read_text(encoding="utf-8")
        text = replaced(before, mark, table())
        if is_check and text != before:
            sys.exit(f"docs/{name} is not that of the code: run scripts/reference_tables.py")
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
