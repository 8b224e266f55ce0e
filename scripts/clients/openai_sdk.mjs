// The openai package of JavaScript. NODE_PATH does not serve ES modules: the package's folder comes as an argument.
import { createRequire } from "node:module";

const { OpenAI } = createRequire(process.argv[2] + "/package.json")("openai");
const {
  LYCEUM_URL, LYCEUM_KEY, LYCEUM_TIGHT_KEY, LYCEUM_CHAT_MODEL: model, LYCEUM_EMBED_MODEL: embedModel,
  LYCEUM_EXPECTED: expected,
} = process.env;
const messages = [{ role: "user", content: "ping, please" }];
const texts = [
  "How do plants turn light into food?", "The way plants make food from light", "The train to Ghent was late",
];

class Skip extends Error {}
const expect = (holds, message) => {
  if (!holds) throw new Error(message);
};
const client = (apiKey = LYCEUM_KEY, more = {}) =>
  new OpenAI({ baseURL: `${LYCEUM_URL.replace(/\/$/, "")}/v1`, apiKey, maxRetries: 0, timeout: 30_000, ...more });

async function refused(kind, ask, tries = 1) {
  for (let at = 0; at < tries; at += 1) {
    try {
      await ask();
    } catch (error) {
      if (error instanceof kind) return error;
      throw error;
    }
  }
  throw new Error(`not refused in ${tries} tries`);
}

const cases = {
  async models() {
    const ids = [];
    for await (const each of client().models.list()) ids.push(each.id);
    expect(ids.includes(model), `${model} not among ${ids}`);
  },
  async chat() {
    const reply = await client().chat.completions.create({ model, messages });
    expect(reply.choices[0].message.content === expected, reply.choices[0].message.content);
    expect(reply.choices[0].finish_reason === "stop", reply.choices[0].finish_reason);
    expect(reply.usage.completion_tokens > 0, JSON.stringify(reply.usage));
  },
  async stream() {
    const pieces = [];
    let reason = null;
    for await (const chunk of await client().chat.completions.create({ model, messages, stream: true })) {
      if (chunk.choices[0]?.delta?.content) pieces.push(chunk.choices[0].delta.content);
      reason = chunk.choices[0]?.finish_reason ?? reason;
    }
    expect(pieces.join("") === expected, pieces.join(""));
    expect(pieces.length > 1, "all in one piece");
    expect(reason === "stop", `ended by ${reason}`);
    return `${pieces.length} pieces`;
  },
  async embeddings() {
    if (!embedModel) throw new Skip("no embedding model here");
    const { data } = await client().embeddings.create({ model: embedModel, input: texts });
    const vectors = data.map(({ embedding }) => embedding);
    const plain = await client().embeddings.create({ model: embedModel, input: texts, encoding_format: "float" });
    const dot = (one, other) => one.reduce((sum, value, at) => sum + value * other[at], 0);
    expect(vectors.length === texts.length, `${vectors.length} vectors`);
    vectors.forEach((vector, at) => {
      expect(Math.abs(Math.sqrt(dot(vector, vector)) - 1) < 1e-3, "not of length 1");
      expect(dot(vector, plain.data[at].embedding) > 0.99999, "base64 and float differ");
    });
    expect(dot(vectors[0], vectors[1]) > dot(vectors[0], vectors[2]) + 0.1, "like texts are not nearer");
    return `${vectors[0].length} dimensions`;
  },
  async "401 wrong key"() {
    const key = `lyk_${"0".repeat(43)}`;
    await refused(OpenAI.AuthenticationError, () => client(key).chat.completions.create({ model, messages }));
  },
  async "404 unknown model"() {
    const ask = () => client().chat.completions.create({ model: "no-such-model", messages });
    await refused(OpenAI.NotFoundError, ask);
  },
  async "400 malformed"() {
    const broken = client(LYCEUM_KEY, { fetch: (url, init) => fetch(url, { ...init, body: '{"model": "x", "messages": [' }) });
    await refused(OpenAI.BadRequestError, () => broken.chat.completions.create({ model, messages }));
  },
  async "429 over quota"() {
    if (!LYCEUM_TIGHT_KEY) throw new Skip("LYCEUM_TIGHT_KEY is not set");
    const ask = () => client(LYCEUM_TIGHT_KEY).chat.completions.create({ model, messages });
    const error = await refused(OpenAI.RateLimitError, ask, 8);
    const after = error.headers.get("retry-after");
    expect(/^[1-9][0-9]*$/.test(after ?? ""), `Retry-After ${after}`);
    return `Retry-After ${after} s`;
  },
};

for (const [name, attempt] of Object.entries(cases)) {
  const began = performance.now();
  let outcome = "ok";
  let detail = "";
  try {
    detail = (await attempt()) ?? "";
  } catch (error) {
    outcome = error instanceof Skip ? "skipped" : "FAILED";
    detail = (error instanceof Skip ? error.message : `${error.name}: ${error.message}`).slice(0, 400);
  }
  const seconds = Math.round(performance.now() - began) / 1000;
  console.log(JSON.stringify({ client: "openai (JavaScript)", case: name, outcome, detail, seconds }));
}
