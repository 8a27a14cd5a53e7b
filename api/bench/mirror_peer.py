"""The peer of `bench mirror`: dlt's rest_api source into PostgreSQL, in an environment of its own.

Started as `PYTHON mirror_peer.py INSTANCE SOCKET DATABASE FOLDER FIELDS PAGE`, never imported. As its documentation
has it: the instance's Link headers as paginator, rows merged by sys_id ("upsert"), columns with their types, files as
CSV for COPY. Empty texts are left out, since a timestamp cannot be empty. The last line of stdout is JSON.
"""

import json
import os
import resource
import sys
import time
from typing import Any

TYPES = {
    "bigint": ("sys_mod_count", "priority", "reopen_count", "reassignment_count"),
    "timestamp": ("sys_updated_on", "opened_at", "resolved_at", "closed_at"),
    "bool": ("made_sla",),
}


def filled(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value != ""}


def load(instance: str, socket: str, database: str, folder: str, fields: str, page: str) -> None:
    typed = {name: {"data_type": kind} for kind, names in TYPES.items() for name in names}
    listed = {name: {"data_type": "text"} for name in fields.split(",")} | typed
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{instance}/api/now/v2/",
                "auth": {"type": "http_basic", "username": "bench", "password": "bench"},
                "paginator": "header_link",
            },
            "resources": [
                {
                    "name": "incident",
                    "primary_key": "sys_id",
                    "write_disposition": {"disposition": "merge", "strategy": "upsert"},
                    "columns": listed,
                    "endpoint": {
                        "path": "table/incident",
                        "data_selector": "result",
                        "params": {
                            "sysparm_query": "ORDERBYsys_id",
                            "sysparm_fields": fields,
                            "sysparm_limit": page,
                            "sysparm_display_value": "false",
                            "sysparm_exclude_reference_link": "true",
                        },
                    },
                    "processing_steps": [{"map": filled}],
                }
            ],
        }
    )
    login = {"drivername": "postgresql", "host": "localhost", "query": {"host": socket}, "port": 5432}
    target = dlt.destinations.postgres(login | {"database": database, "username": "evenhand_admin", "password": "none"})
    pipeline = dlt.pipeline("bench", pipelines_dir=folder, destination=target, dataset_name="mirrored")
    pipeline.run(source, loader_file_format=os.environ.get("PEER_FORMAT", "csv"))


if __name__ == "__main__":
    import dlt  # type: ignore[import-not-found, unused-ignore]
    import dlt.destinations  # type: ignore[import-not-found, unused-ignore]
    from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found, unused-ignore]

    started, cpu = time.perf_counter(), time.process_time()
    load(*sys.argv[1:7])
    seconds, children = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    spent = time.process_time() - cpu + children.ru_utime + children.ru_stime
    print(json.dumps({"seconds": seconds, "cpu_seconds": spent, "peak_kb": max(own.ru_maxrss, children.ru_maxrss)}))
