// Who uses the console, and what they may do. An API token is kept for this tab only; a login is a cookie that no script sees.
import { Signal, useSignal } from "./signal.js";

const KEPT = "sangam.token";

/** `{ state: "asking" | "in" | "out" | "failed", me, login, problem }`. `login`: where people log in, where the host has a provider. */
export const session = new Signal({ state: "asking", me: null, login: null, problem: null });

export const useSession = () => useSignal(session);

export function token() {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

export function keepToken(text) {
  try {
    if (text) sessionStorage.setItem(KEPT, text);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // A browser without storage can't keep one: its people log in.
  }
}

/** Whether somebody may do what needs this permission: `read`, `operate`, `administer`. */
export function may(permission) {
  const { me } = session.value;
  return Boolean(me?.permissions?.includes(permission));
}

/** The session is over, or never was: the console shows how to sign in, and comes back to where it is. */
export function signedOut(problem = null, login = null) {
  keepToken(null);
  const before = session.value;
  session.value = { state: "out", me: null, login: login ?? before.login, problem };
}
