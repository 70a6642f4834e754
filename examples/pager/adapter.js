// The pager channel: the pager's events are lines on stdin; what became of them, and replies, go to stdout.
import { createInterface } from "node:readline";
import { joined } from "./broker.js";
import { translate } from "./translate.js";

const desk = await joined({ channel: "pager", inbox: "oncall" });

desk.onReport("message_duplicate", () => console.log("duplicate"));
desk.onReport("message_rejected", ({ field, reason }) => console.log(`rejected: ${field} ${reason}`));
desk.onOutbound({
  message_accepted: ({ number }) => console.log(`accepted CONV-${number}`),
  async outbound_message({ conversation_id, reply_id, to, text }) {
    console.log(`reply to ${to.external_id}: ${text}`); // Here a pager would be called.
    await desk.publish({ type: "delivery", conversation_id, reply_id, state: "delivered", external_id: reply_id });
  },
});
for await (const line of createInterface({ input: process.stdin })) {
  const message = translate(line);
  if (message) await desk.publish(message);
}
