// Why bytes get no index: they are no markup that a parser accepts, or there is more of something than the limits allow.

/** Raised when a document exceeds one of the XML limits. */
export class XmlLimitExceeded extends Error {
  override readonly name = 'XmlLimitExceeded';
}

/** Raised when the bytes are no markup that libxml2 could have accepted. */
export class NotScannable extends Error {
  override readonly name = 'NotScannable';
}
