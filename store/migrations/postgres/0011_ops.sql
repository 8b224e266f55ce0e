-- Operating the pipeline: runs that are held, estimates, schedules and removal of sources, limits, what vanished.

-- Why the run does not go on, JSON with code and message; NULL while it does. A held run has no live job.
ALTER TABLE ingestions ADD COLUMN held TEXT;
-- When the stage began or went on, and how many units were done then: the speed of this run.
ALTER TABLE ingestions ADD COLUMN stage_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ingestions ADD COLUMN stage_from BIGINT NOT NULL DEFAULT 0;
-- What the source held when it was fetched.
ALTER TABLE ingestions ADD COLUMN documents BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ingestions ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;

-- Five fields, UTC; NULL is no schedule. `next_at` is moved in the transaction that starts a run.
ALTER TABLE sources ADD COLUMN cron TEXT;
ALTER TABLE sources ADD COLUMN next_at BIGINT;
-- Scheduled runs in a row that failed, and what a person should know of the last turn.
ALTER TABLE sources ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN schedule_note TEXT;
-- A removed source has no content any more; its runs stay readable.
ALTER TABLE sources ADD COLUMN removed_at BIGINT;
CREATE INDEX sources_due ON sources (next_at);

-- The lesson's document vanished from its source: it is hidden, and this says since when and why.
ALTER TABLE lessons ADD COLUMN gone_at BIGINT;
ALTER TABLE lessons ADD COLUMN gone_reason TEXT;

-- NULL is no limit.
ALTER TABLE institutions ADD COLUMN ingest_bytes BIGINT;
ALTER TABLE institutions ADD COLUMN ingest_runs BIGINT;
