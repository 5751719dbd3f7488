// Sets up an Uptime Kuma as a person does in its pages: a user, a webhook, a trial of it, and a monitor.
// Usage: node uptime_kuma.js SERVER HOOK HEADERS TARGET, in the folder of its source.
const { createRequire } = require("module");
const { io } = createRequire(process.cwd() + "/")("socket.io-client");
const [server, hook, headers, target] = process.argv.slice(2);
const socket = io(server, { transports: ["websocket"] });

const ask = (...words) =>
  new Promise((resolve, reject) =>
    socket.emit(...words, (answer) => (answer.ok ? resolve(answer) : reject(new Error(answer.msg))))
  );

async function setUp() {
  await ask("setup", "ops", "a-Password-4711");
  await ask("login", { username: "ops", password: "a-Password-4711", token: "" });
  const webhook = {
    name: "wbox-notify",
    type: "webhook",
    webhookURL: hook,
    webhookContentType: "json",
    webhookAdditionalHeaders: headers,
  };
  await ask("testNotification", webhook);
  const { id } = await ask("addNotification", webhook, null);
  await ask("add", {
    type: "http",
    name: "Shop",
    url: target,
    method: "GET",
    interval: 20,
    retryInterval: 20,
    maxretries: 0,
    timeout: 5,
    maxredirects: 0,
    accepted_statuscodes: ["200-299"],
    conditions: [],
    kafkaProducerBrokers: [],
    kafkaProducerSaslOptions: { mechanism: "None" },
    rabbitmqNodes: [],
    notificationIDList: { [id]: true },
  });
  socket.close();
}

// It says so once it listens to what a person does.
socket.on("setup", () =>
  setUp().catch((error) => {
    console.error(error);
    process.exit(1);
  })
);
socket.on("connect_error", (error) => {
  console.error(error);
  process.exit(1);
});
