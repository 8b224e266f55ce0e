//! Model replies written by hand, put to the guards that stand between a model and a reader: one file a kind.
//!
//! A reply is known to be good or to be held back. Measured is what the guards show of each, by sentence for what
//! must not be shown, because one wrong sentence is one too many however long the reply is.

mod grading;
mod quiz;
mod tutor;

use domain::wire::{ChatRequest, Down, Failure, Finish, Model, Reply, Request, Task, Up};
use llm_gateway::{Gateway, WorkerLink};
use serde::Serialize;

use crate::Result;
use crate::run::SuiteReport;
use crate::stats;

/// One reply's outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Its id.
    pub id: String,
    /// `good`, or what is wrong with it.
    pub kind: String,
    /// Whether it should be shown.
    pub good: bool,
    /// Whether the guards showed it.
    pub shown: bool,
    /// Sentences, items or marks in it.
    pub parts: usize,
    /// Why it was held back.
    pub reason: Option<String>,
    /// What its writer noted.
    pub note: String,
}

/// Judges every kind of reply and writes the figures into the report.
pub(crate) async fn measure(report: &mut SuiteReport) -> Result<()> {
    figures(report, "tutor", tutor::judged().await?);
    figures(report, "quiz", quiz::judged().await?);
    let (samples, wrong) = grading::judged().await?;
    report.metrics.insert("grading.wrong mark flagged or held back".into(), stats::mean(&wrong));
    figures(report, "grading", samples);
    Ok(())
}

fn figures(report: &mut SuiteReport, prompt: &str, samples: Vec<Sample>) {
    let good: Vec<f64> = samples.iter().filter(|one| one.good).map(|one| f64::from(u8::from(one.shown))).collect();
    report.metrics.insert(format!("{prompt}.good shown"), stats::mean(&good));
    let held = |kind: &dyn Fn(&Sample) -> bool| -> Vec<f64> {
        let unsound = samples.iter().filter(|one| !one.good && kind(one));
        unsound.flat_map(|one| std::iter::repeat_n(f64::from(u8::from(!one.shown)), one.parts)).collect()
    };
    report.metrics.insert(format!("{prompt}.unsound held back"), stats::mean(&held(&|_| true)));
    let mut kinds: Vec<&str> = samples.iter().filter(|one| !one.good).map(|one| one.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        report.metrics.insert(format!("{prompt}.{kind} held back"), stats::mean(&held(&|one| one.kind == kind)));
    }
    report.numbers.insert(format!("{prompt} replies"), samples.len() as f64);
    report.replies.extend(samples);
    report.replies.sort_by_key(|one| one.good == one.shown);
}

/// A gateway whose chat model says what is written; `cut` ends each reply before its time.
async fn served<F>(cut: bool, said: F) -> Gateway
where
    F: Fn(&ChatRequest) -> String + Send + 'static,
{
    let gateway = Gateway::default();
    let (link, serving) = gateway.attach_in_process();
    tokio::spawn(serving);
    tokio::spawn(serve(link, cut, said));
    while gateway.chat_model().is_none() {
        tokio::task::yield_now().await;
    }
    gateway
}

async fn serve<F: Fn(&ChatRequest) -> String>(mut link: WorkerLink, cut: bool, said: F) {
    let model = Model::new("written by hand", Task::Chat, "written");
    let register = Up::Register { worker: "replies".into(), models: vec![model] };
    let mut open =
        link.outgoing.send(register).await.is_ok() && link.outgoing.send(Up::Credit { count: 4 }).await.is_ok();
    while let (true, Some(message)) = (open, link.incoming.recv().await) {
        let Down::Assign { assignment } = message else { continue };
        let id = assignment.id;
        let last = match assignment.request {
            Request::Chat(request) => {
                let text = said(&request);
                open &= link.outgoing.send(Up::Token { id, text }).await.is_ok();
                let finish = if cut { Finish::Length } else { Finish::Stop };
                Up::Done { id, reply: Reply::Chat { finish, usage: None } }
            }
            _ => Up::Fail { id, failure: Failure::Backend { message: "this model only chats".into() } },
        };
        open &= link.outgoing.send(last).await.is_ok() && link.outgoing.send(Up::Credit { count: 1 }).await.is_ok();
    }
}
