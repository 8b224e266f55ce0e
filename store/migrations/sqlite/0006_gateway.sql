-- The gateway to models: keys, limits and what is used of them, usage, the AI switch, durable requests.

CREATE TABLE api_keys (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  user_id TEXT NOT NULL REFERENCES users (id),
  -- What is asked with it is the course's use; NULL is nobody's but the user's.
  course_id TEXT REFERENCES courses (id),
  name TEXT NOT NULL,
  -- The beginning of the key, by which its owner knows it again.
  prefix TEXT NOT NULL,
  secret_hash TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT,
  last_used_at BIGINT
);
CREATE INDEX api_keys_user ON api_keys (institution_id, user_id, id);

-- NULL is no limit. scope_id '*' is every user, key or course without a row of its own.
CREATE TABLE model_quotas (
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  scope TEXT NOT NULL CHECK (scope IN ('institution', 'course', 'user', 'key')),
  scope_id TEXT NOT NULL,
  requests_minute BIGINT CHECK (requests_minute >= 0),
  requests_day BIGINT CHECK (requests_day >= 0),
  tokens_minute BIGINT CHECK (tokens_minute >= 0),
  tokens_day BIGINT CHECK (tokens_day >= 0),
  concurrent BIGINT CHECK (concurrent >= 0),
  changed_by TEXT,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (institution_id, scope, scope_id)
);

-- What is used of a limited window, and what processes have taken in advance of it.
CREATE TABLE model_quota_use (
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  scope TEXT NOT NULL,
  scope_id TEXT NOT NULL,
  -- "window" is a reserved word.
  period TEXT NOT NULL CHECK (period IN ('minute', 'day')),
  starts_at BIGINT NOT NULL,
  requests BIGINT NOT NULL,
  tokens BIGINT NOT NULL,
  PRIMARY KEY (institution_id, scope, scope_id, period, starts_at)
);
CREATE INDEX model_quota_use_past ON model_quota_use (period, starts_at);

-- Sums of a day. '' is none: a NULL would make every row another one.
CREATE TABLE model_usage (
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  day BIGINT NOT NULL,
  course_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  feature TEXT NOT NULL,
  model TEXT NOT NULL,
  requests BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  prompt_tokens BIGINT NOT NULL,
  completion_tokens BIGINT NOT NULL,
  waited_ms BIGINT NOT NULL,
  busy_ms BIGINT NOT NULL,
  cache_hits BIGINT NOT NULL,
  PRIMARY KEY (institution_id, day, course_id, user_id, key_id, feature, model)
);

-- A course without a row has its AI on.
CREATE TABLE course_ai (
  course_id TEXT NOT NULL PRIMARY KEY REFERENCES courses (id),
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  enabled BOOLEAN NOT NULL,
  changed_by TEXT,
  changed_at BIGINT NOT NULL
);

CREATE TABLE model_requests (
  id TEXT NOT NULL PRIMARY KEY,
  institution_id TEXT NOT NULL REFERENCES institutions (id),
  user_id TEXT NOT NULL REFERENCES users (id),
  key_id TEXT REFERENCES api_keys (id),
  course_id TEXT REFERENCES courses (id),
  idempotency_key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  class TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  -- To the byte as it came.
  body BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  status BIGINT,
  response BLOB,
  error TEXT,
  created_at BIGINT NOT NULL,
  finished_at BIGINT,
  UNIQUE (institution_id, user_id, idempotency_key),
  CONSTRAINT model_requests_done CHECK (state <> 'done' OR (response IS NOT NULL AND status IS NOT NULL)),
  CONSTRAINT model_requests_ended CHECK ((state IN ('queued', 'running')) = (finished_at IS NULL))
);
CREATE INDEX model_requests_open ON model_requests (institution_id, id) WHERE state IN ('queued', 'running');
