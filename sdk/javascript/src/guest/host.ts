/** The host of a component: its imports. */

import { key, send } from "sangam:connector/http@0.1.0";
import keyValue from "sangam:connector/key-value@0.1.0";
import { log } from "sangam:connector/log@0.1.0";

import type { Host } from "../host.ts";

export const imports: Host = { http: { send, key }, keyValue, log };
