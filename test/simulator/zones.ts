/** Zones with the odd days: half and quarter hours, daylight saving by 30 minutes and by 2 hours, at midnight, far east. */
export const ZONES = [
  "UTC", "America/Los_Angeles", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham",
  "Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Kiritimati", "Africa/Casablanca", "America/Havana",
  "America/St_Johns", "Asia/Beirut", "Africa/Cairo", "America/Santiago", "America/Asuncion", "America/Nuuk",
  "America/Scoresbysund", "Australia/Eucla", "Pacific/Marquesas", "Asia/Yangon", "Pacific/Easter", "Atlantic/Azores",
] as const; // biome-ignore format: a list of names
