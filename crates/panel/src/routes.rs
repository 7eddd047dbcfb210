//! The tables of pages, one for each origin, and the router made from them.

use crate::ask::{Ask, Origin, Reply};
use crate::assets;
use crate::config::Config;
use crate::desk::{Desk, dress};
use crate::{pages, staff};
use axum::Router;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use http::{Method, StatusCode};
use husorden_base::Refusal;
use husorden_control::{App, Kinds};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tower::ServiceExt;

/// Who may see a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everybody.
    Anybody,
    /// Who has a session, also while something is needed of it, such as the second factor.
    Begun,
    /// Who has a session that needs nothing more; others are led to the log-in, or to what is needed.
    Session,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Reply, Refusal>> + Send + 'a>>;

/// One line of a table of pages.
pub struct Page {
    /// GET or POST.
    pub method: Method,
    /// Path, with parameters in braces.
    pub path: &'static str,
    /// Who may see it.
    pub reach: Reach,
    /// Whether a form with a file is taken.
    pub file: bool,
    /// Whether it is a WebSocket, which only a page of the same origin may open.
    pub socket: bool,
    pub(crate) handler: Box<dyn for<'a> Fn(&'a Ask) -> Answer<'a> + Send + Sync>,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A page's function: `async fn(&Ask) -> Result<Reply, Refusal>`.
pub(crate) trait Handler<'a>: Fn(&'a Ask) -> Self::Future {
    type Future: Future<Output = Result<Reply, Refusal>> + Send + 'a;
}

impl<'a, F, T> Handler<'a> for F
where
    F: Fn(&'a Ask) -> T,
    T: Future<Output = Result<Reply, Refusal>> + Send + 'a,
{
    type Future = T;
}

fn page<H>(method: Method, path: &'static str, reach: Reach, handler: H) -> Page
where
    H: for<'a> Handler<'a> + Send + Sync + 'static,
{
    Page { method, path, reach, file: false, socket: false, handler: Box::new(move |ask| Box::pin(handler(ask))) }
}

pub(crate) fn get<H: for<'a> Handler<'a> + Send + Sync + 'static>(
    path: &'static str,
    reach: Reach,
    handler: H,
) -> Page {
    page(Method::GET, path, reach, handler)
}

pub(crate) fn post<H: for<'a> Handler<'a> + Send + Sync + 'static>(
    path: &'static str,
    reach: Reach,
    handler: H,
) -> Page {
    page(Method::POST, path, reach, handler)
}

/// A page that takes a form with a file.
pub(crate) fn post_file<H: for<'a> Handler<'a> + Send + Sync + 'static>(
    path: &'static str,
    reach: Reach,
    handler: H,
) -> Page {
    Page { file: true, ..post(path, reach, handler) }
}

/// A WebSocket.
pub(crate) fn get_socket<H: for<'a> Handler<'a> + Send + Sync + 'static>(
    path: &'static str,
    reach: Reach,
    handler: H,
) -> Page {
    Page { socket: true, ..get(path, reach, handler) }
}

/// Every page of the customers' origin.
#[must_use]
pub fn customers() -> Vec<Page> {
    pages::table()
}

/// Every page of the staff's origin.
#[must_use]
pub fn staff() -> Vec<Page> {
    staff::table()
}

/// The panel: both origins, told apart by the host that is asked for.
pub fn router(app: &App, config: Config) -> Router {
    let file_bytes_max = app.config().limits.archive_bytes_max;
    over(husorden_control::routes::router(app.clone()), app.kinds(), config, file_bytes_max)
}

/// The panel over an API.
pub(crate) fn over(api: Router, kinds: Kinds, config: Config, file_bytes_max: u64) -> Router {
    let desk = Arc::new(Desk { api, kinds, config, file_bytes_max });
    let customers = origin(&desk, Origin::Customers, customers());
    let staff = origin(&desk, Origin::Staff, staff());
    Router::new().fallback(move |request: Request| async move {
        let router = match desk.origin(&request) {
            Some(Origin::Customers) => customers,
            Some(Origin::Staff) => staff,
            None => return dress(StatusCode::MISDIRECTED_REQUEST.into_response()),
        };
        let answered: Result<Response, std::convert::Infallible> = router.oneshot(request).await;
        dress(answered.unwrap_or_else(|never| match never {}))
    })
}

fn origin(desk: &Arc<Desk>, origin: Origin, pages: Vec<Page>) -> Router {
    let mut router = Router::new()
        .route(assets::PATH, axum::routing::get(assets::serve))
        .route(assets::LIBRARY, axum::routing::get(assets::library));
    for page in pages {
        let (desk, page) = (Arc::clone(desk), Arc::new(page));
        let (path, filter) =
            (page.path, if page.method == Method::POST { MethodFilter::POST } else { MethodFilter::GET });
        let handler = move |params: RawPathParams, request: Request| async move {
            let params: BTreeMap<String, String> =
                params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            desk.serve(origin, Some(&page), params, request).await
        };
        router = router.route(path, on(filter, handler));
    }
    let desk = Arc::clone(desk);
    router
        .fallback(move |request: Request| async move { desk.serve(origin, None, BTreeMap::new(), request).await })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
}
