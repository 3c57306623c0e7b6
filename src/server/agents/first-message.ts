import { IkadaError } from "../../base/errors.js";

/** The first message of a stream that an agent opened, or its end. `missing` says what did not come. @throws IkadaError Deadline */
export async function firstMessage<Message>(
  messages: AsyncGenerator<Message, void, undefined>,
  withinMs: number,
  missing: string,
): Promise<IteratorResult<Message, void>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new IkadaError("Deadline", `${missing} within ${withinMs} ms`)), withinMs);
  });
  return await Promise.race([messages.next(), late]).finally(() => clearTimeout(timer));
}
