/**
 * Objects that one decision creates, changes or removes at most; the rest is left for the next. Each costs a transaction
 * two operations (limits.txnOperationsMax), its check and its write; the room that is left is for owners and events.
 */
export const objectsPerDecisionMax = 400;
