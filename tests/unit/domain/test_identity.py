"""Owner and party of a session."""

import pytest

from chat.domain import Identity, PartyClass

IPV6 = ("2001:db8:0:1::/64", "2001:db8::/48")


@pytest.mark.parametrize(
    ("identity", "owner", "party", "party_class"),
    [
        (Identity(), "parley", "parley", "key"),
        (Identity(addresses=("192.0.2.7",)), "ip:192.0.2.7", "ip:192.0.2.7", "anon"),
        (Identity(addresses=IPV6), "ip:2001:db8:0:1::/64", "ip:2001:db8::/48", "anon"),
        (Identity(api_key="k1", addresses=IPV6), "key:k1", "key:k1", "key"),
        (Identity(api_key="k1", tenant="acme"), "key:k1", "tenant:acme", "key"),
    ],
)
def test_owner_and_party(identity: Identity, owner: str, party: str, party_class: str) -> None:
    shares = (identity.owner, identity.party, identity.party_class)
    assert shares == (owner, party, PartyClass(party_class))


def test_users_of_two_tenants_are_two_owners() -> None:
    alice = Identity(tenant="acme", user="alice", api_key="k1")
    other = Identity(tenant="other", user="alice", api_key="k2")
    assert alice.owner == Identity(tenant="acme", user="alice").owner != other.owner
    assert alice.party == "tenant:acme"
    assert alice.owner == f"user:{alice.user_digest}"
    assert alice.user_digest.startswith(alice.id_prefix)


def test_session_without_user_has_a_random_id() -> None:
    assert Identity(api_key="k1", tenant="acme").id_prefix == ""
