"""People from the identity provider: SCIM 2.0 (RFC 7643, RFC 7644) below /scim/v2."""
