"""An id says where a thing came from, the same way for ever."""

from uuid import UUID, uuid5

import pytest

from schema.identity import NAMESPACE, mirror_id


@pytest.mark.parametrize("key", ["1", "00014f8b588e368f08462003be011a20", "Zürich ✓", "a:b:c"])
def test_an_id_is_the_uuid_of_version_5_of_source_entity_and_key(key: str) -> None:
    found, usual = mirror_id("servicenow", "incident", key), uuid5(NAMESPACE, f"servicenow:incident:{key}")
    assert (found, hash(found), str(found)) == (usual, hash(usual), str(usual))
    assert isinstance(found, UUID)
    assert found.version == 5


def test_an_absent_reference_has_no_id() -> None:
    assert mirror_id("servicenow", "incident", None) is None
    assert mirror_id("servicenow", "incident", "") is None
