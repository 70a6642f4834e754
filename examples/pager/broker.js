// The connection to the desk's broker, as the user that an adapter of a channel is there.
import { readFileSync } from "node:fs";
import { jetstream } from "@nats-io/jetstream";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";

/** Where the environment says, with the seed that it names; tries again for ever when the broker goes away. */
export async function connected(channel) {
  const { DESKSTREAM_NATS_URL: servers, DESKSTREAM_NATS_SEED_FILE: seed } = process.env;
  const broker = await connect({
    servers,
    authenticator: seed ? nkeyAuthenticator(Buffer.from(readFileSync(seed, "utf8").trim())) : undefined,
    inboxPrefix: `_INBOX_channel_${channel}`, // The only one that a guarded broker lets this user read.
    maxReconnectAttempts: -1,
  });
  return { broker, stream: jetstream(broker) };
}
