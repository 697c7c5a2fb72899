// Signs webhooks as their vendors do, with the vendors' own libraries: one JSON object a line in, one a line out, in the same order.
//
// In: {scheme, secret, method, url, body, form, timestamp, id, key}; out: {url, headers: [[name, value]], body}, or {error}.
// Where a vendor's library only verifies, the signature is made with Node.js and the library has to agree with it before it goes out.

import { constants, createHash, createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign as signWith } from "node:crypto";
import { createInterface } from "node:readline";

import { Signature as HubSpot } from "@hubspot/api-client";
import { sign as github } from "@octokit/webhooks-methods";
import "@shopify/shopify-api/adapters/node";
import { ApiVersion, shopifyApi } from "@shopify/shopify-api";
import slack from "@slack/bolt";
import { createSigner, httpbis } from "http-message-signatures";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as Svix } from "svix";
import twilio from "twilio/lib/webhooks/webhooks.js";

const hmac = (algorithm, key, ...parts) => parts.reduce((h, part) => h.update(part), createHmac(algorithm, key));

/** Key pairs by algorithm, made at the first use. */
const pairs = new Map();
function pair(algorithm) {
  if (!pairs.has(algorithm)) {
    // By way of PEM: Node.js 20 may wait for itself for ever where a key is exported while its generator is collected.
    const encoded = { privateKeyEncoding: { type: "pkcs8", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } };
    const make = {
      ed25519: () => generateKeyPairSync("ed25519", encoded),
      "ecdsa-p256-sha256": () => generateKeyPairSync("ec", { namedCurve: "P-256", ...encoded }),
      "ecdsa-p384-sha384": () => generateKeyPairSync("ec", { namedCurve: "P-384", ...encoded }),
      "rsa-pss-sha512": () => generateKeyPairSync("rsa", { modulusLength: 2048, ...encoded }),
      "rsa-v1_5-sha256": () => generateKeyPairSync("rsa", { modulusLength: 2048, ...encoded }),
    }[algorithm];
    const { publicKey, privateKey } = make();
    pairs.set(algorithm, { publicKey: createPublicKey(publicKey), privateKey: createPrivateKey(privateKey) });
  }
  return pairs.get(algorithm);
}

const agreed = (yes, library) => {
  if (!yes) throw new Error(`${library} does not agree with the signature`);
};

const schemes = {
  /** The public key of a pair: PEM, and the raw 32 bytes of Ed25519 in base64. */
  "public-key": ({ key }) => {
    const { publicKey } = pair(key);
    const raw = key === "ed25519" ? Buffer.from(publicKey.export({ format: "jwk" }).x, "base64url").toString("base64") : null;
    return { body: publicKey.export({ type: "spki", format: "pem" }), headers: [], raw };
  },

  "standard-webhooks": ({ secret, id, timestamp, body }) => {
    const signature = new StandardWebhook(secret).sign(id, new Date(timestamp * 1000), body);
    return { headers: [["webhook-id", id], ["webhook-timestamp", `${timestamp}`], ["webhook-signature", signature]] };
  },

  /** No official library signs v1a: Node.js does, as the specification says. */
  "standard-webhooks-v1a": ({ id, timestamp, body }) => {
    const signature = signWith(null, Buffer.from(`${id}.${timestamp}.${body}`), pair("ed25519").privateKey).toString("base64");
    return { headers: [["webhook-id", id], ["webhook-timestamp", `${timestamp}`], ["webhook-signature", `v1a,${signature}`]] };
  },

  svix: ({ secret, id, timestamp, body }) => {
    const signature = new Svix(secret).sign(id, new Date(timestamp * 1000), body);
    return { headers: [["svix-id", id], ["svix-timestamp", `${timestamp}`], ["svix-signature", signature]] };
  },

  github: async ({ secret, id, body }) => ({
    headers: [["X-GitHub-Delivery", id], ["X-Hub-Signature-256", await github(secret, body)]],
  }),

  /** Meta signs as GitHub does. */
  meta: async ({ secret, body }) => ({ headers: [["X-Hub-Signature-256", await github(secret, body)]] }),

  stripe: ({ secret, timestamp, body }) => ({
    headers: [["Stripe-Signature", Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp })]],
  }),

  shopify: async ({ secret, id, body }) => {
    const signature = hmac("sha256", secret, body).digest("base64");
    const headers = {
      "X-Shopify-Topic": "orders/create",
      "X-Shopify-Hmac-Sha256": signature,
      "X-Shopify-Shop-Domain": "acme.myshopify.com",
      "X-Shopify-API-Version": "2026-07",
      "X-Shopify-Webhook-Id": id,
    };
    const app = shopifyApi({
      apiKey: "key",
      apiSecretKey: secret,
      hostName: "acme.example",
      apiVersion: Object.values(ApiVersion)[0],
      isEmbeddedApp: false,
      logger: { log: () => {} },
    });
    const rawRequest = { method: "POST", url: "/hooks/shopify", headers };
    agreed((await app.webhooks.validate({ rawBody: body, rawRequest, rawResponse: {} })).valid, "@shopify/shopify-api");
    return { headers: Object.entries(headers) };
  },

  slack: ({ secret, timestamp, body }) => {
    const signature = `v0=${hmac("sha256", secret, `v0:${timestamp}:${body}`).digest("hex")}`;
    const headers = { "x-slack-request-timestamp": timestamp, "x-slack-signature": signature };
    slack.verifySlackRequest({ signingSecret: secret, body, headers, nowMilliseconds: timestamp * 1000 });
    return { headers: Object.entries(headers).map(([name, value]) => [name, `${value}`]) };
  },

  "hubspot-v3": ({ secret, timestamp, method, url, body }) => {
    const milliseconds = timestamp * 1000;
    const signature = HubSpot.getSignature(method, "v3", { clientSecret: secret, url, requestBody: body, timestamp: milliseconds });
    return { headers: [["X-HubSpot-Signature-v3", signature], ["X-HubSpot-Request-Timestamp", `${milliseconds}`]] };
  },

  /** A form: its parameters are signed with the URL. */
  twilio: ({ secret, id, url, form }) => ({
    headers: [["X-Twilio-Signature", twilio.getExpectedTwilioSignature(secret, url, form)], ["I-Twilio-Idempotency-Token", id]],
    body: new URLSearchParams(Object.entries(form).flatMap(([name, value]) => [value].flat().map((one) => [name, one]))).toString(),
  }),

  /** Another body: its digest stands in the URL, which is signed. */
  "twilio-json": ({ secret, id, url, body }) => {
    const whole = `${url}${url.includes("?") ? "&" : "?"}bodySHA256=${twilio.getExpectedBodyHash(body)}`;
    const signature = twilio.getExpectedTwilioSignature(secret, whole, {});
    agreed(twilio.validateRequestWithBody(secret, signature, whole, body), "twilio");
    return { url: whole, headers: [["X-Twilio-Signature", signature], ["I-Twilio-Idempotency-Token", id]] };
  },

  rfc9421: async ({ secret, key, keyid, id, timestamp, method, url, body, fields }) => {
    const signer = createSigner(key === "hmac-sha256" ? Buffer.from(secret) : pair(key).privateKey, key, keyid ?? key);
    if (key === "rsa-pss-sha512") {
      // RFC 9421 section 3.3.1 has a salt of 64 bytes; the library leaves it to OpenSSL, which takes the longest.
      const options = { key: pair(key).privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 };
      signer.sign = async (data) => signWith("sha512", data, options);
    }
    const digest = `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;
    const message = { method, url, headers: { "Content-Type": "application/json", "Content-Digest": digest } };
    const signed = await httpbis.signMessage(
      {
        key: signer,
        name: "sig1",
        fields: fields ?? ["@method", "@target-uri", "content-digest", "content-type"],
        params: ["created", "keyid", "alg", "nonce"],
        paramValues: { created: new Date(timestamp * 1000), nonce: id },
      },
      message,
    );
    return { headers: Object.entries(signed.headers) };
  },

  // Vendors without a library that signs or verifies: Node.js, as their documentation says.
  intuit: ({ secret, body }) => ({ headers: [["intuit-signature", hmac("sha256", secret, body).digest("base64")]] }),
  jobber: ({ secret, body }) => ({ headers: [["X-Jobber-Hmac-SHA256", hmac("sha256", secret, body).digest("base64")]] }),
  "housecall-pro": ({ secret, timestamp, body }) => ({
    headers: [["Api-Signature", hmac("sha256", secret, `${timestamp}.${body}`).digest("hex")], ["Api-Timestamp", `${timestamp}`]],
  }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let answer;
  try {
    const signed = await schemes[order.scheme](order);
    answer = { url: order.url, body: order.body, ...signed };
  } catch (error) {
    answer = { error: `${order.scheme}: ${error.stack}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
