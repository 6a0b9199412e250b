/** Who signed a file, as the file of trusted keys and the signature say. */
export interface Signer {
  readonly tool: 'ssh-keygen' | 'minisign';
  /** The principals of the line in `allowed_signers`, or the number of the minisign key. */
  readonly name: string;
  /** `SHA256:…` as ssh-keygen prints it; the key's number for minisign. */
  readonly key: string;
  /** What the signer wrote into the signature, its time for most: minisign's trusted comment, which is signed too. */
  readonly comment?: string;
}

/** Why a signature does not count: shown behind the name of its file. */
export class SignatureRefusal extends Error {}
