//! The bus: each event once, in order, past failures and crashes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::InstitutionId;
use domain::event::Event;
use store::bus::{self, Bus, BusOptions, Consumer};
use store::sql::event::{self, NewEvent};
use store::sql::institution as rows;
use store::{Error, Store, Tx, both_databases};
use tokio_util::sync::CancellationToken;

use crate::school::{institution, number, settled};

#[derive(Default)]
struct Notes {
    seen: Mutex<Vec<(String, i64)>>,
    /// Payload number that fails, and how often.
    failing: Mutex<HashMap<i64, usize>>,
}

#[async_trait::async_trait]
impl Consumer for Notes {
    async fn consume(&self, tx: &mut Tx, event: &Event) -> store::Result<()> {
        let number = event.payload["n"].as_i64().unwrap();
        // A read through the transaction, as a projection would.
        rows::get(tx, event.institution_id).await?;
        if let Some(left) = self.failing.lock().unwrap().get_mut(&number)
            && *left > 0
        {
            *left -= 1;
            return Err(Error::Database("planted".into()));
        }
        self.seen.lock().unwrap().push((event.aggregate_id.clone(), number));
        Ok(())
    }
}

fn options(instance: &str) -> BusOptions {
    BusOptions {
        tries: 3,
        backoff: Duration::from_millis(1),
        poll: Duration::from_secs(30),
        ..BusOptions::new(instance)
    }
}

fn bus(store: &Store, notes: &Arc<Notes>, instance: &str) -> Bus {
    let mut bus = Bus::new(store.clone(), options(instance));
    bus.subscribe("notes", notes.clone());
    bus
}

async fn append(store: &Store, school: InstitutionId, aggregate: String, number: i64) {
    let new = NewEvent::new("course.updated", school, aggregate).payload(serde_json::json!({ "n": number }));
    store.write(move |tx| Box::pin(async move { event::append(tx, &new).await })).await.unwrap();
}

both_databases!(each_event_is_consumed_once_and_in_order, |store| async move {
    let school = institution(&store).await;
    let writers = (0..5).map(|aggregate| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..20 {
                append(&store, school, format!("course-{aggregate}"), number).await;
            }
        })
    });
    let notes = Arc::new(Notes::default());
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (bus, shutdown) = (bus(&store, &notes, "n/1"), shutdown.clone());
        async move { bus.run(shutdown).await }
    });
    for writer in writers {
        writer.await.unwrap();
    }
    tokio::time::timeout(Duration::from_secs(60), async {
        // On PostgreSQL an event is seen when no older transaction runs: the last wake-up may come too early.
        while notes.seen.lock().unwrap().len() < 100 {
            append(&store, school, "nudge".into(), 1000).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            if notes.seen.lock().unwrap().iter().filter(|(_, number)| *number < 1000).count() == 100 {
                break;
            }
        }
    })
    .await
    .expect("events did not arrive");
    shutdown.cancel();
    running.await.unwrap();
    settled(&store).await;
    bus(&store, &notes, "n/2").drain().await.unwrap();
    let mut last: HashMap<String, i64> = HashMap::new();
    for (aggregate, number) in notes.seen.lock().unwrap().iter().filter(|(_, number)| *number < 1000) {
        assert_eq!(*number, last.get(aggregate).map_or(0, |before| before + 1), "{aggregate}");
        last.insert(aggregate.clone(), *number);
    }
    assert_eq!(last.len(), 5);
    assert!(last.values().all(|number| *number == 19));
});

both_databases!(a_failing_event_is_tried_again_then_dead_then_retried_by_hand, |store| async move {
    let (school, other) = (institution(&store).await, institution(&store).await);
    let notes = Arc::new(Notes::default());
    notes.failing.lock().unwrap().extend([(1, 2), (2, 3)]);
    for number in 0..4 {
        append(&store, school, "course".into(), number).await;
    }
    settled(&store).await;
    let bus = bus(&store, &notes, "n/1");
    assert_eq!(bus.drain().await.unwrap(), 4);
    let seen = |notes: &Notes| notes.seen.lock().unwrap().iter().map(|(_, number)| *number).collect::<Vec<_>>();
    assert_eq!(seen(&notes), [0, 1, 3]);
    let dead = store.read(|tx| Box::pin(bus::dead(tx, school, 10))).await.unwrap();
    assert_eq!((dead.len(), dead[0].event_type.as_str()), (1, "course.updated"));
    assert!(dead[0].error.as_deref().unwrap().contains("planted"));
    assert!(store.read(|tx| Box::pin(bus::dead(tx, other, 10))).await.unwrap().is_empty());
    assert!(!bus.retry(other, "notes", dead[0].event_id).await.unwrap());
    assert!(bus.retry(school, "notes", dead[0].event_id).await.unwrap());
    assert!(!bus.retry(school, "notes", dead[0].event_id).await.unwrap());
    assert_eq!(seen(&notes), [0, 1, 3, 2]);
    assert_eq!(bus.drain().await.unwrap(), 0);
});

both_databases!(a_second_process_takes_over_when_the_first_is_gone, |store| async move {
    let school = institution(&store).await;
    let notes = Arc::new(Notes::default());
    append(&store, school, "course".into(), 0).await;
    settled(&store).await;
    bus(&store, &notes, "n/1").drain().await.unwrap();
    // The first process died while it held its partitions.
    store::testing::execute(&store, "UPDATE consumer_offsets SET lease_owner = 'n/1', lease_until = 4000000000000000")
        .await
        .unwrap();
    append(&store, school, "course".into(), 1).await;
    settled(&store).await;
    let second = bus(&store, &notes, "n/2");
    assert_eq!(second.drain().await.unwrap(), 0);
    store::testing::execute(&store, "UPDATE consumer_offsets SET lease_until = 1").await.unwrap();
    assert_eq!(second.drain().await.unwrap(), 1);
    assert_eq!(number(&store, "SELECT COUNT(*) AS n FROM processed_events").await, 2);
});

both_databases!(an_unregistered_type_is_refused_and_correlated_events_are_read_back, |store| async move {
    let school = institution(&store).await;
    let bad = NewEvent::new("course.exploded", school, "c");
    assert!(store.write(move |tx| Box::pin(async move { event::append(tx, &bad).await })).await.is_err());
    for number in 0..3 {
        let new =
            NewEvent::new("course.updated", school, "c").correlation("run").payload(serde_json::json!({ "n": number }));
        store.write(move |tx| Box::pin(async move { event::append(tx, &new).await })).await.unwrap();
    }
    settled(&store).await;
    let all = store.read(|tx| Box::pin(event::correlated(tx, school, "run", 0, 10))).await.unwrap();
    assert_eq!(all.len(), 3);
    let first = all[0].0;
    let rest = store.read(|tx| Box::pin(event::correlated(tx, school, "run", first, 10))).await.unwrap();
    assert_eq!(rest.iter().map(|(_, event)| event.payload["n"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    let stranger = InstitutionId::fresh();
    assert!(store.read(|tx| Box::pin(event::after(tx, Some(stranger), None, 0, 10))).await.unwrap().is_empty());
    assert_eq!(store.read(|tx| Box::pin(event::after(tx, Some(school), None, 0, 10))).await.unwrap().len(), 3);
});
