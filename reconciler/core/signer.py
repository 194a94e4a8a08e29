"""Who signed a commit, as it is told on every object that comes from it (contract 5)."""

from collections.abc import Mapping
from dataclasses import dataclass

SIGNED_BY = "kubernaut.ai/signed-by"
SIGNER_FINGERPRINT = "kubernaut.ai/signer-fingerprint"


@dataclass(frozen=True, slots=True)
class Signer:
    """The name that the allowed signers or the keyring give to a key, and the key's fingerprint."""

    principal: str
    fingerprint: str

    @property
    def annotations(self) -> Mapping[str, str]:
        return {SIGNED_BY: self.principal, SIGNER_FINGERPRINT: self.fingerprint}
