import assert from "node:assert/strict";
import { test } from "node:test";
import { type Caller, ROLES, type Role } from "./records.ts";
import { defaultKeyRole, grantableRoles, grantersOf, mayManageKey } from "./roles.ts";

test("no role hands out more than it has", () => {
  const cases: [Role, Role[]][] = [
    ["OPERATOR", ["OPERATOR", "ADMIN", "USER", "METER"]],
    ["ADMIN", ["ADMIN", "USER", "METER"]],
    ["USER", ["USER"]],
    ["METER", []],
  ];
  for (const [role, granted] of cases) assert.deepEqual(grantableRoles(role), granted, role);
  for (const granted of ROLES) {
    assert.deepEqual(
      grantersOf(granted),
      cases.filter(([, roles]) => roles.includes(granted)).map(([role]) => role),
    );
  }
});

test("who may make and revoke which key", () => {
  const cases: [Role, string, string, Role, boolean][] = [
    // caller of a/u   account  user  role        may
    ["OPERATOR", "a", "u", "OPERATOR", true],
    ["OPERATOR", "b", "x", "OPERATOR", true],
    ["OPERATOR", "b", "x", "METER", true],
    ["ADMIN", "a", "x", "ADMIN", true],
    ["ADMIN", "a", "u", "METER", true],
    ["ADMIN", "a", "u", "OPERATOR", false],
    ["ADMIN", "b", "u", "USER", false],
    ["USER", "a", "u", "USER", true],
    ["USER", "a", "u", "METER", false],
    ["USER", "a", "u", "ADMIN", false],
    ["USER", "a", "x", "USER", false],
    ["USER", "b", "u", "USER", false],
    ["METER", "a", "u", "METER", false],
    ["METER", "a", "u", "USER", false],
  ];
  for (const [callerRole, account, user, role, may] of cases) {
    const caller: Caller = { account: "a", user: "u", keyId: "key_1", role: callerRole };
    const text = `${callerRole} of a/u, a key ${role} of ${account}/${user}`;
    assert.equal(mayManageKey(caller, { account, user, role }), may, text);
  }
});

test("a key without a role gets its user's, but never more than the caller's", () => {
  const cases: [Role, Role, Role][] = [
    // caller    user        key
    ["OPERATOR", "OPERATOR", "OPERATOR"],
    ["OPERATOR", "USER", "USER"],
    ["ADMIN", "OPERATOR", "ADMIN"],
    ["ADMIN", "METER", "METER"],
    ["USER", "ADMIN", "USER"],
    ["USER", "USER", "USER"],
  ];
  for (const [caller, user, key] of cases) assert.equal(defaultKeyRole(caller, user), key, `${caller} for ${user}`);
});
