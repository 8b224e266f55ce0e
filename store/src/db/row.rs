//! Values that go into a statement, and the rows that come out.

use sqlx::{Column as _, Row as _};

use crate::error::{Error, Result};

/// A bound value; `None` is NULL of that type (PostgreSQL wants to know which).
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Real(Option<f64>),
    Bool(Option<bool>),
    Blob(Option<Vec<u8>>),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident, $convert:expr;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(Some(($convert)(value)))
            }
        }
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map($convert))
            }
        }
    )*};
}
value_from! {
    String => Text, |v| v;
    &str => Text, |v: &str| v.to_owned();
    &String => Text, |v: &String| v.clone();
    i64 => Int, |v| v;
    f64 => Real, |v| v;
    bool => Bool, |v| v;
    Vec<u8> => Blob, |v| v;
    domain::InstitutionId => Text, |v: domain::InstitutionId| v.to_string();
    domain::UserId => Text, |v: domain::UserId| v.to_string();
    domain::CourseId => Text, |v: domain::CourseId| v.to_string();
    domain::ModuleId => Text, |v: domain::ModuleId| v.to_string();
    domain::LessonId => Text, |v: domain::LessonId| v.to_string();
    domain::EnrollmentId => Text, |v: domain::EnrollmentId| v.to_string();
    domain::SourceId => Text, |v: domain::SourceId| v.to_string();
    domain::VersionId => Text, |v: domain::VersionId| v.to_string();
    domain::DocumentId => Text, |v: domain::DocumentId| v.to_string();
    domain::ChunkId => Text, |v: domain::ChunkId| v.to_string();
    domain::JobId => Text, |v: domain::JobId| v.to_string();
    domain::EventId => Text, |v: domain::EventId| v.to_string();
    domain::TokenId => Text, |v: domain::TokenId| v.to_string();
    domain::IngestionId => Text, |v: domain::IngestionId| v.to_string();
    domain::QuestionId => Text, |v: domain::QuestionId| v.to_string();
    domain::AssessmentId => Text, |v: domain::AssessmentId| v.to_string();
    domain::AttemptId => Text, |v: domain::AttemptId| v.to_string();
    domain::ScormAttemptId => Text, |v: domain::ScormAttemptId| v.to_string();
    domain::SubmissionId => Text, |v: domain::SubmissionId| v.to_string();
    domain::ProposalId => Text, |v: domain::ProposalId| v.to_string();
    domain::GradeId => Text, |v: domain::GradeId| v.to_string();
    domain::AppealId => Text, |v: domain::AppealId| v.to_string();
    domain::ApiKeyId => Text, |v: domain::ApiKeyId| v.to_string();
    domain::ModelRequestId => Text, |v: domain::ModelRequestId| v.to_string();
    domain::UploadId => Text, |v: domain::UploadId| v.to_string();
    &serde_json::Value => Text, |v: &serde_json::Value| v.to_string();
}

/// Binds for a statement: `args![id, name]`.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::Value::from($value)),*] };
}
pub(crate) use args;

/// A row by column name.
pub(crate) enum Row {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

macro_rules! getter {
    ($name:ident, $optional:ident, $type:ty) => {
        pub(crate) fn $optional(&self, column: &str) -> Result<Option<$type>> {
            Ok(match self {
                Self::Sqlite(row) => row.try_get::<Option<$type>, _>(column)?,
                Self::Postgres(row) => row.try_get::<Option<$type>, _>(column)?,
            })
        }
        pub(crate) fn $name(&self, column: &str) -> Result<$type> {
            self.$optional(column)?.ok_or_else(|| Error::Damaged { column: column.into(), reason: "is null".into() })
        }
    };
}

#[allow(dead_code, reason = "a complete set of getters reads better than the subset in use today")]
impl Row {
    getter!(text, text_opt, String);
    getter!(int, int_opt, i64);
    getter!(real, real_opt, f64);
    getter!(flag, flag_opt, bool);
    getter!(blob, blob_opt, Vec<u8>);

    /// A column that holds an id (or anything else that parses from text).
    pub(crate) fn id<T: std::str::FromStr<Err = domain::Error>>(&self, column: &str) -> Result<T> {
        self.text(column)?
            .parse()
            .map_err(|error: domain::Error| Error::Damaged { column: column.into(), reason: error.message })
    }

    /// The same where NULL is allowed.
    pub(crate) fn id_opt<T: std::str::FromStr<Err = domain::Error>>(&self, column: &str) -> Result<Option<T>> {
        self.text_opt(column)?
            .map(|text| {
                text.parse()
                    .map_err(|error: domain::Error| Error::Damaged { column: column.into(), reason: error.message })
            })
            .transpose()
    }

    /// A column that holds JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?)
            .map_err(|error| Error::Damaged { column: column.into(), reason: error.to_string() })
    }

    /// Names of the columns, for dumps and checks.
    pub(crate) fn columns(&self) -> Vec<String> {
        match self {
            Self::Sqlite(row) => row.columns().iter().map(|c| c.name().to_owned()).collect(),
            Self::Postgres(row) => row.columns().iter().map(|c| c.name().to_owned()).collect(),
        }
    }
}

/// JSON text for a column.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Damaged { column: "json".into(), reason: error.to_string() })
}
