"""The version of the rules. It changes whenever the same facts under the same plan could give another result."""

ENGINE_VERSION = "1"
