//! I6: for each consumer an event is processed once, waits above its offset, or is in its dead list.

use domain::event::PARTITIONS;

use super::Check;

pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::new(
            "I6",
            "SELECT e.institution_id, 'event ' || e.event_id AS subject,
               'lies below the offset of \"' || o.consumer || '\" and was not processed' AS message
             FROM consumer_offsets o JOIN events e ON e.partition_no = o.partition_no AND e.seq <= o.seq
             WHERE NOT EXISTS (SELECT 1 FROM processed_events p WHERE p.consumer = o.consumer AND p.event_id = e.event_id)",
        ),
        Check::new(
            "I6",
            "SELECT e.institution_id, 'event ' || e.event_id AS subject,
               'was processed by \"' || p.consumer || '\" although it lies above its offset' AS message
             FROM processed_events p JOIN events e ON e.event_id = p.event_id
             LEFT JOIN consumer_offsets o ON o.consumer = p.consumer AND o.partition_no = e.partition_no
             WHERE o.seq IS NULL OR e.seq > o.seq",
        ),
        Check::new(
            "I6",
            "SELECT p.institution_id, 'event ' || p.event_id AS subject,
               'was processed by \"' || p.consumer || '\" and is not in the log' AS message
             FROM processed_events p WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = p.event_id)",
        ),
        Check::new(
            "I6",
            "SELECT p.institution_id, 'event ' || p.event_id AS subject,
               'is dead for \"' || p.consumer || '\" without a reason' AS message
             FROM processed_events p WHERE p.outcome = 'dead' AND COALESCE(p.error, '') = ''",
        ),
        Check::new(
            "I6",
            "SELECT CAST(NULL AS TEXT) AS institution_id, 'consumer ' || o.consumer AS subject,
               'stands at ' || CAST(o.seq AS TEXT) || ' in partition ' || CAST(o.partition_no AS TEXT)
                 || ', beyond the end of the log' AS message
             FROM consumer_offsets o WHERE o.seq > COALESCE((SELECT MAX(e.seq) FROM events e), 0)",
        ),
        Check::new(
            "I6",
            format!(
                "SELECT CAST(NULL AS TEXT) AS institution_id, 'consumer ' || o.consumer AS subject,
                   'follows ' || CAST(COUNT(*) AS TEXT) || ' of {PARTITIONS} partitions' AS message
                 FROM consumer_offsets o GROUP BY o.consumer HAVING COUNT(*) <> {PARTITIONS}"
            ),
        ),
    ]
}
