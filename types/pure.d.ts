// The only globals that deciding code may use beside the ECMAScript library: pure functions of
// their arguments. Folders with `"types": []` see these and no timer, process, file or socket.

declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
}

declare class TextDecoder {
  constructor(label?: "utf-8", options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes: Uint8Array): string;
}
