/** A made-up company: three accounts, who works there, with which keys, deployments and training jobs. */

import type { Annotations } from "../domain/annotations.ts";
import type { ACCELERATOR_TYPES, SERVICE_TIERS } from "../domain/usage.ts";

export const DEMO_ACCOUNT = "acme";
/** Known to everyone who reads this. */
export const DEMO_KEY = "fw_demo_known_to_everyone_not_a_secret";

interface DemoUser {
  readonly id: string;
  readonly displayName: string;
  readonly email: string;
  readonly role: "ADMIN" | "USER";
}

interface DemoKey {
  /** The display name, the only one of its account. */
  readonly name: string;
  readonly user: string;
  readonly annotations: Annotations;
}

export interface DemoDeployment {
  readonly id: string;
  readonly displayName: string;
  readonly baseModel: string;
  readonly acceleratorType: (typeof ACCELERATOR_TYPES)[number];
  readonly acceleratorCount: number;
  readonly placement: string;
  readonly annotations: Annotations;
  /** On working days `peak` replicas from the one hour of UTC to the other, else `idle`. */
  readonly rota: { readonly fromHour: number; readonly toHour: number; readonly peak: number; readonly idle: number };
}

/** When calls come: the hour (UTC) of the daily peak, how deep the nights are (0 to 1), what is left at weekends. */
export interface Rhythm {
  readonly peakHour: number;
  readonly depth: number;
  readonly weekend: number;
}

const AMERICA: Rhythm = { peakHour: 19, depth: 0.85, weekend: 0.35 };
const EUROPE: Rhythm = { peakHour: 12, depth: 0.9, weekend: 0.3 };
const SHOPPERS: Rhythm = { peakHour: 1, depth: 0.65, weekend: 1.3 };
const NIGHTLY: Rhythm = { peakHour: 8, depth: 1, weekend: 1 };
const STEADY: Rhythm = { peakHour: 0, depth: 0, weekend: 1 };

/** What one call takes: medians of tokens, seconds of audio or images. */
export type Taking =
  | { readonly kind: "text"; readonly prompt: number; readonly completion: number; readonly cached: number }
  | { readonly kind: "embedding"; readonly prompt: number }
  | { readonly kind: "audio"; readonly seconds: number }
  | { readonly kind: "images"; readonly images: number };

/** One kind of call that one key makes. */
export interface Workload {
  readonly key: string;
  readonly model: string;
  /** Calls on a mean working day. */
  readonly perDay: number;
  readonly rhythm: Rhythm;
  readonly takes: Taking;
  readonly tier?: (typeof SERVICE_TIERS)[number];
  readonly batch?: true;
  /** The end user it calls for; nobody in particular when left out. */
  readonly user?: string;
  /** Sent with the call; they go before the key's. */
  readonly tags?: Annotations;
}

/** Training that reports every quarter of an hour, on the days `firstDay` to `lastDay` of each 60. */
export interface TrainingJob {
  readonly id: string;
  readonly jobType: string;
  readonly baseModel: string;
  readonly trainingSessionId: string;
  readonly firstDay: number;
  readonly lastDay: number;
  readonly annotations: Annotations;
  readonly meter:
    | { readonly kind: "tokens"; readonly perSlot: number }
    | { readonly kind: "accelerators"; readonly count: number; readonly type: (typeof ACCELERATOR_TYPES)[number] };
}

export interface DemoAccount {
  readonly id: string;
  readonly displayName: string;
  readonly email: string;
  readonly users: readonly DemoUser[];
  readonly keys: readonly DemoKey[];
  readonly deployments: readonly DemoDeployment[];
  readonly workloads: readonly Workload[];
  readonly jobs: readonly TrainingJob[];
}

const FIREWORKS = "accounts/fireworks/models";
const KIMI = `${FIREWORKS}/kimi-k2p6`;
const DEEPSEEK = `${FIREWORKS}/deepseek-v4-pro`;
const GPT_OSS = `${FIREWORKS}/gpt-oss-120b`;
const GLM = `${FIREWORKS}/glm-5p2`;
const MINIMAX = `${FIREWORKS}/minimax-m3`;
const WHISPER = `${FIREWORKS}/whisper-v3-large`;
const FLUX = `${FIREWORKS}/flux-1-dev-fp8`;
const EMBEDDER = "nomic-ai/nomic-embed-text-v1.5";
/** In no price book, so that reports show what they could not price. */
const UNPRICED = "accounts/acme/models/support-tone-v2";

/** @param cached the share of the prompt that is cached in the calls that hit the cache. */
function text(prompt: number, completion: number, cached = 0): Taking {
  return { kind: "text", prompt, completion, cached };
}

function embedding(prompt: number): Taking {
  return { kind: "embedding", prompt };
}

function audio(seconds: number): Taking {
  return { kind: "audio", seconds };
}

function images(count: number): Taking {
  return { kind: "images", images: count };
}

function user(id: string, displayName: string, role: DemoUser["role"] = "USER"): DemoUser {
  return { id, displayName, email: `${id}@acme.example`, role };
}

/** @param tags team, project and environment, "-" where there is none. */
function key(name: string, owner: string, tags: string): DemoKey {
  const [team = "-", project = "-", environment = "-"] = tags.split(" ");
  const named = Object.entries({ team, project, environment }).filter(([, value]) => value !== "-");
  return { name, user: owner, annotations: Object.fromEntries(named) };
}

function main(id: string): DemoAccount {
  return {
    id,
    displayName: "Acme",
    email: "billing@acme.example",
    users: [
      user("maya", "Maya Ortiz", "ADMIN"),
      user("jonas", "Jonas Weber"),
      user("priya", "Priya Nair"),
      user("web", "Web shop"),
      user("pipelines", "Pipelines"),
    ],
    keys: [
      key("prod-web", "web", "storefront assistant prod"),
      key("prod-mobile", "web", "storefront mobile prod"),
      key("prod-search", "web", "search ranker prod"),
      key("prod-support-bot", "web", "support bot prod"),
      key("staging", "pipelines", "storefront assistant staging"),
      key("nightly-catalogue", "pipelines", "catalogue descriptions prod"),
      key("index-embeddings", "pipelines", "search index prod"),
      key("transcribe-calls", "pipelines", "support call-notes prod"),
      key("image-studio", "pipelines", "marketing studio prod"),
      key("dev-maya", "maya", "storefront - dev"),
      key("dev-jonas", "jonas", "search - dev"),
      key("dev-priya", "priya", "- - -"),
    ],
    deployments: [
      {
        id: "chat-prod",
        displayName: "Shop assistant",
        baseModel: GPT_OSS,
        acceleratorType: "NVIDIA_H100_80GB",
        acceleratorCount: 1,
        placement: "GLOBAL",
        annotations: { team: "storefront", project: "assistant", environment: "prod" },
        rota: { fromHour: 14, toHour: 24, peak: 2, idle: 1 },
      },
      {
        id: "ranker-prod",
        displayName: "Search ranker",
        baseModel: `${FIREWORKS}/qwen3-8b`,
        acceleratorType: "NVIDIA_H100_80GB",
        acceleratorCount: 1,
        placement: "US",
        annotations: { team: "search", project: "ranker", environment: "prod" },
        rota: { fromHour: 15, toHour: 23, peak: 1, idle: 0 },
      },
    ],
    workloads: [
      { key: "prod-web", model: KIMI, perDay: 900, rhythm: SHOPPERS, takes: text(13_000, 640, 0.7) },
      { key: "prod-web", model: KIMI, perDay: 140, rhythm: SHOPPERS, takes: text(9500, 480, 0.6), tier: "FAST" },
      { key: "prod-mobile", model: GPT_OSS, perDay: 620, rhythm: SHOPPERS, takes: text(5500, 360, 0.5) },
      {
        key: "prod-search",
        model: GPT_OSS,
        perDay: 700,
        rhythm: SHOPPERS,
        takes: text(4000, 80, 0.8),
        tier: "PRIORITY",
      },
      {
        key: "prod-support-bot",
        model: GLM,
        perDay: 420,
        rhythm: AMERICA,
        takes: text(21_000, 920, 0.65),
        tier: "PRIORITY",
      },
      { key: "prod-support-bot", model: UNPRICED, perDay: 60, rhythm: AMERICA, takes: text(4500, 240) },
      { key: "staging", model: KIMI, perDay: 90, rhythm: AMERICA, takes: text(12_000, 600, 0.4) },
      {
        key: "nightly-catalogue",
        model: DEEPSEEK,
        perDay: 380,
        rhythm: NIGHTLY,
        takes: text(15_500, 1400),
        batch: true,
      },
      {
        key: "nightly-catalogue",
        model: MINIMAX,
        perDay: 180,
        rhythm: NIGHTLY,
        takes: text(7500, 1000),
        batch: true,
        tags: { project: "translations" },
      },
      { key: "index-embeddings", model: EMBEDDER, perDay: 520, rhythm: STEADY, takes: embedding(6400) },
      { key: "transcribe-calls", model: WHISPER, perDay: 160, rhythm: AMERICA, takes: audio(570) },
      { key: "image-studio", model: FLUX, perDay: 45, rhythm: AMERICA, takes: images(2) },
      { key: "dev-maya", model: KIMI, perDay: 110, rhythm: AMERICA, takes: text(45_000, 1800, 0.85), user: "maya" },
      { key: "dev-jonas", model: GLM, perDay: 90, rhythm: EUROPE, takes: text(35_000, 1600, 0.8), user: "jonas" },
      { key: "dev-priya", model: DEEPSEEK, perDay: 70, rhythm: AMERICA, takes: text(26_000, 2200, 0.6), user: "priya" },
      {
        key: "dev-priya",
        model: MINIMAX,
        perDay: 40,
        rhythm: AMERICA,
        takes: text(12_500, 1200),
        user: "priya",
        tags: { team: "support" },
      },
    ],
    jobs: [],
  };
}

const RESEARCH: DemoAccount = {
  id: "acme-research",
  displayName: "Acme Research",
  email: "research@acme.example",
  users: [user("lin", "Lin Zhao", "ADMIN"), user("tomas", "Tomas Novak"), user("harness", "Evaluation harness")],
  keys: [
    key("eval-harness", "harness", "research evals prod"),
    key("labelling", "harness", "research labels prod"),
    key("rollouts", "harness", "research reward prod"),
    key("dev-lin", "lin", "research - dev"),
    key("dev-tomas", "tomas", "research - dev"),
  ],
  deployments: [
    {
      id: "eval-large",
      displayName: "Evaluation of large models",
      baseModel: DEEPSEEK,
      acceleratorType: "NVIDIA_B200_180GB",
      acceleratorCount: 8,
      placement: "GLOBAL",
      annotations: { team: "research", project: "evals" },
      rota: { fromHour: 8, toHour: 10, peak: 1, idle: 0 },
    },
  ],
  workloads: [
    { key: "eval-harness", model: DEEPSEEK, perDay: 300, rhythm: NIGHTLY, takes: text(18_000, 3000, 0.3) },
    { key: "eval-harness", model: GPT_OSS, perDay: 260, rhythm: NIGHTLY, takes: text(18_000, 2400, 0.3) },
    { key: "labelling", model: MINIMAX, perDay: 340, rhythm: STEADY, takes: text(6000, 120), batch: true },
    { key: "rollouts", model: GLM, perDay: 180, rhythm: STEADY, takes: text(11_000, 1800, 0.5) },
    { key: "dev-lin", model: KIMI, perDay: 80, rhythm: AMERICA, takes: text(41_000, 2600, 0.8), user: "lin" },
    { key: "dev-tomas", model: DEEPSEEK, perDay: 60, rhythm: EUROPE, takes: text(30_500, 3000, 0.7), user: "tomas" },
  ],
  jobs: [
    {
      id: "sft-support-tone",
      jobType: "SFT",
      baseModel: `${FIREWORKS}/qwen3-32b`,
      trainingSessionId: "session-support-tone-1",
      firstDay: 11,
      lastDay: 12,
      annotations: { team: "support", project: "bot" },
      meter: { kind: "tokens", perSlot: 1_450_000 },
    },
    {
      id: "rft-ranker-reward",
      jobType: "RFT",
      baseModel: `${FIREWORKS}/qwen3-8b`,
      trainingSessionId: "session-ranker-reward-1",
      firstDay: 37,
      lastDay: 39,
      annotations: { team: "research", project: "reward" },
      meter: { kind: "accelerators", count: 8, type: "NVIDIA_H200_141GB" },
    },
  ],
};

const EUROPEAN: DemoAccount = {
  id: "acme-europe",
  displayName: "Acme Europe",
  email: "europe@acme.example",
  users: [user("amelie", "Amelie Laurent", "ADMIN"), user("shop-eu", "Web shop, Europe")],
  keys: [
    key("prod-eu", "shop-eu", "storefront assistant prod"),
    key("prod-eu-support", "shop-eu", "support bot prod"),
    key("staging-eu", "shop-eu", "storefront assistant staging"),
    key("dev-amelie", "amelie", "storefront - dev"),
  ],
  deployments: [
    {
      id: "support-eu",
      displayName: "Support bot, Europe",
      baseModel: `${FIREWORKS}/qwen3-32b`,
      acceleratorType: "NVIDIA_H200_141GB",
      acceleratorCount: 1,
      placement: "EUROPE",
      annotations: { team: "support", project: "bot", environment: "prod" },
      rota: { fromHour: 6, toHour: 18, peak: 1, idle: 0 },
    },
  ],
  workloads: [
    { key: "prod-eu", model: KIMI, perDay: 520, rhythm: EUROPE, takes: text(12_500, 600, 0.7) },
    { key: "prod-eu", model: EMBEDDER, perDay: 130, rhythm: STEADY, takes: embedding(5200) },
    { key: "prod-eu-support", model: GLM, perDay: 310, rhythm: EUROPE, takes: text(19_500, 840, 0.6) },
    { key: "prod-eu-support", model: WHISPER, perDay: 70, rhythm: EUROPE, takes: audio(450) },
    { key: "staging-eu", model: GPT_OSS, perDay: 60, rhythm: EUROPE, takes: text(7500, 400) },
    { key: "dev-amelie", model: KIMI, perDay: 60, rhythm: EUROPE, takes: text(38_000, 1800, 0.8), user: "amelie" },
  ],
  jobs: [],
};

/** The company; `account` is its main account. */
export function demoCompany(account: string): readonly DemoAccount[] {
  return [main(account), RESEARCH, EUROPEAN];
}
