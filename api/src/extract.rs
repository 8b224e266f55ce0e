//! What handlers take: the caller, and input that is refused in our own words.

use std::net::IpAddr;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use domain::policy::Actor;
use domain::{Error, ErrorKind};
use serde::de::DeserializeOwned;

use crate::App;
use crate::error::{ApiError, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE};

/// Who asks, as the outer layer found out.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// With the rights of this moment.
    pub(crate) actor: Actor,
    /// The proof, to look at the rights again while a stream is open.
    pub(crate) token: Option<String>,
    /// Where the request comes from.
    pub(crate) address: Option<IpAddr>,
    /// What the client calls itself.
    pub(crate) agent: String,
    /// May read metrics: on this machine, or with the token for that.
    pub(crate) scraper: bool,
    /// Most bytes of an ordinary body.
    pub(crate) body_limit: usize,
    /// Most bytes of an upload.
    pub(crate) upload_limit: usize,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError(Error::new(ErrorKind::Internal, "a route without the layer that finds its caller")))
    }
}

/// Whose share and quota a model call counts in.
pub(crate) fn asking(actor: &Actor, course: Option<domain::CourseId>, feature: &'static str) -> assistant::Caller {
    assistant::Caller { institution: Some(actor.institution), course, user: actor.user_id, key: None, feature }
}

impl Caller {
    /// Where the session is from, for telling clients apart.
    pub(crate) fn client(&self) -> school::session::Client {
        let address = self.address.map(|address| address.to_string()).unwrap_or_default();
        school::session::Client { address, agent: self.agent.clone() }
    }
}

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        match axum::Json::<T>::from_request(request, app).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::new(
                ErrorKind::ValidationError,
                UNSUPPORTED_MEDIA_TYPE,
                "the body must be application/json",
            )),
            Err(JsonRejection::BytesRejection(error))
                if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE =>
            {
                Err(ApiError::new(ErrorKind::ValidationError, TOO_LARGE, "the body is too large"))
            }
            Err(error) => Err(Error::invalid("body", "INVALID_FORMAT", plain(&error.body_text())).into()),
        }
    }
}

/// A query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let result: Result<_, QueryRejection> = axum::extract::Query::<T>::from_request_parts(parts, app).await;
        match result {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(Error::invalid("query", "INVALID_FORMAT", plain(&error.body_text())).into()),
        }
    }
}

/// Ids in the address; what is no id names nothing.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let result: Result<_, PathRejection> = axum::extract::Path::<T>::from_request_parts(parts, app).await;
        match result {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Error::new(ErrorKind::NotFound, "there is nothing at this address").into()),
        }
    }
}

/// A parser's complaint as one lowercase sentence.
fn plain(text: &str) -> String {
    let text = text.trim_end_matches('.').trim();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).take(300).collect())
}
