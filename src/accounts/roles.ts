/** Who may hand out and take back what. A role never gives more than it has. */

import type { Caller, Role } from "./records.ts";

const GRANTABLE: Readonly<Record<Role, readonly Role[]>> = {
  OPERATOR: ["OPERATOR", "ADMIN", "USER", "METER"],
  ADMIN: ["ADMIN", "USER", "METER"],
  USER: ["USER"],
  METER: [],
};

/** The roles that `role` may give to a key or a user, and may take back. */
export function grantableRoles(role: Role): readonly Role[] {
  return GRANTABLE[role];
}

/** The roles that may give `granted`. */
export function grantersOf(granted: Role): Role[] {
  return (Object.keys(GRANTABLE) as Role[]).filter((role) => GRANTABLE[role].includes(granted));
}

/** Whether the caller may see, make and revoke keys of this user at all. `user` "-" stands for all users. */
export function mayManageKeysOf(caller: Caller, account: string, user: string): boolean {
  switch (caller.role) {
    case "OPERATOR":
      return true;
    case "ADMIN":
      return caller.account === account;
    case "USER":
      return caller.account === account && caller.user === user;
    case "METER":
      return false;
    default:
      return caller.role satisfies never;
  }
}

/** Whether the caller may make, or revoke, a key of this user with this role. */
export function mayManageKey(caller: Caller, key: { account: string; user: string; role: Role }): boolean {
  return mayManageKeysOf(caller, key.account, key.user) && GRANTABLE[caller.role].includes(key.role);
}

/** The role of a new key when none is asked for: its user's, or the caller's own where that would be more. */
export function defaultKeyRole(callerRole: Role, userRole: Role): Role {
  return GRANTABLE[callerRole].includes(userRole) ? userRole : callerRole;
}

/** Whether the role may move a quota's maxValue: the ceiling that an account's own administrators stay under. */
export function maySetMaxValue(role: Role): boolean {
  return role === "OPERATOR";
}
