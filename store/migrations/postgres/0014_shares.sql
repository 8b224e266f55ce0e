-- How much of the workers a scope gets beside others, in per cent of the usual share.
ALTER TABLE model_quotas ADD COLUMN share BIGINT CHECK (share >= 1);
