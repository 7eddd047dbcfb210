//! What a line of the API's table is, and the router made from the table. The lines themselves stand in [`table`](mod@table):
//! the router, the permissions, the OpenAPI text and the permission tests are all made from them.

mod table;

use crate::app::App;
use crate::gate;
use crate::http::{no_method, nowhere};
use crate::openapi::Shape;
use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use husorden_wire::api::Capability;
use std::time::Instant;
use utoipa::ToSchema;

pub use table::table;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Without a credential.
    Anybody,
    /// Accounts and staff; an account sees and changes its own.
    Both,
    /// Accounts only.
    Account,
    /// Staff only.
    Staff,
}

/// What a route takes as its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing, or JSON.
    Json,
    /// Raw bytes, streamed.
    Raw,
}

/// Who may do what on a route.
#[derive(Clone, Copy, Debug)]
pub struct Permission {
    /// Who.
    pub reach: Reach,
    /// What the caller must be able to do; none only where anybody may ask. Staff need what [`Capability::of_staff`] says.
    pub capability: Option<Capability>,
    /// Whether it changes anything.
    pub writes: bool,
    /// Whether it stays open to the sessions of an account that a measure holds; tokens are dead then.
    pub when_held: bool,
    /// Whether it stays open to the sessions of an account whose measure leaves it that its data is taken out.
    pub data_out: bool,
    /// Whether a session must have proved again who it is a short while ago.
    pub dangerous: bool,
    /// Whether it is about a person's own log-in, so that a token cannot use it.
    pub person: bool,
    /// How far a session must have come.
    pub stage: Stage,
    /// Its body.
    pub body: Body,
}

/// How far a log-in has come, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// By password; the code may be missing.
    Code,
    /// By all factors there are; one that is required may not be set up.
    Enrol,
    /// All the way.
    Open,
}

/// One line of the table.
pub struct Route {
    /// Method.
    pub method: Method,
    /// Path, with parameters in braces named after what they are.
    pub path: &'static str,
    /// Who may.
    pub permission: Permission,
    /// One sentence.
    pub summary: &'static str,
    pub(crate) takes: Option<Shape>,
    pub(crate) gives: Option<Shape>,
    /// What may be asked in the query.
    pub query: &'static [&'static str],
    status: u16,
    handler: MethodRouter<App>,
}

impl Route {
    /// Whether it takes a body that is more than bytes.
    #[must_use]
    pub const fn takes_form(&self) -> bool {
        self.takes.is_some() && matches!(self.permission.body, Body::Json)
    }

    fn takes<T: ToSchema + 'static>(mut self) -> Self {
        self.takes = Some(Shape::of::<T>());
        self
    }

    /// For bodies whose type has no schema of its own.
    fn takes_object(mut self) -> Self {
        self.takes = Some(Shape::object());
        self
    }

    fn takes_bytes(mut self) -> Self {
        self.takes = Some(Shape::bytes());
        self.permission.body = Body::Raw;
        self
    }

    fn gives<T: ToSchema + 'static>(mut self) -> Self {
        self.gives = Some(Shape::of::<T>());
        self
    }

    /// A file.
    fn gives_bytes(mut self) -> Self {
        self.gives = Some(Shape::bytes());
        self
    }

    fn gives_page<T: ToSchema + 'static>(mut self) -> Self {
        self.gives = Some(Shape::page::<T>());
        self
    }

    fn asks(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }

    fn when_held(mut self) -> Self {
        self.permission.when_held = true;
        self
    }

    fn data_out(mut self) -> Self {
        self.permission.data_out = true;
        self
    }

    /// It is about a person's own log-in, and open to one that has come so far.
    fn of_person(mut self, stage: Stage) -> Self {
        self.permission.person = true;
        self.permission.stage = stage;
        self
    }

    fn dangerous(mut self) -> Self {
        self.permission.dangerous = true;
        self
    }

    fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) const fn success(&self) -> u16 {
        self.status
    }
}

fn route<H, T>(method: Method, path: &'static str, who: Who, summary: &'static str, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    let filter = match method.as_str() {
        "POST" => MethodFilter::POST,
        "PUT" => MethodFilter::PUT,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    };
    Route {
        path,
        permission: Permission {
            reach: who.0,
            capability: who.1,
            writes: method != Method::GET,
            when_held: false,
            data_out: false,
            dangerous: false,
            person: false,
            stage: Stage::Open,
            body: Body::Json,
        },
        summary,
        takes: None,
        gives: None,
        query: &[],
        status: 200,
        handler: on(filter, handler),
        method,
    }
}

/// Who may: whom it is open to, and what they must be able to do.
type Who = (Reach, Option<Capability>);

const ANYBODY: Who = (Reach::Anybody, None);

const fn both(capability: Capability) -> Who {
    (Reach::Both, Some(capability))
}

const fn account(capability: Capability) -> Who {
    (Reach::Account, Some(capability))
}

const fn staff(capability: Capability) -> Who {
    (Reach::Staff, Some(capability))
}

fn get<H: Handler<T, App>, T: 'static>(path: &'static str, who: Who, summary: &'static str, handler: H) -> Route {
    route(Method::GET, path, who, summary, handler)
}

fn post<H: Handler<T, App>, T: 'static>(path: &'static str, who: Who, summary: &'static str, handler: H) -> Route {
    route(Method::POST, path, who, summary, handler)
}

fn patch<H: Handler<T, App>, T: 'static>(path: &'static str, who: Who, summary: &'static str, handler: H) -> Route {
    route(Method::PATCH, path, who, summary, handler)
}

fn put<H: Handler<T, App>, T: 'static>(path: &'static str, who: Who, summary: &'static str, handler: H) -> Route {
    route(Method::PUT, path, who, summary, handler)
}

fn delete<H: Handler<T, App>, T: 'static>(path: &'static str, who: Who, summary: &'static str, handler: H) -> Route {
    route(Method::DELETE, path, who, summary, handler)
}

/// The router, each route behind its permission.
pub fn router(app: App) -> Router {
    let mut router = Router::new();
    for route in table() {
        let (app, permission, path) = (app.clone(), route.permission, route.path);
        let guarded = route.handler.layer(middleware::from_fn(move |request: Request, next: Next| {
            let (app, method, begun) = (app.clone(), request.method().clone(), Instant::now());
            async move {
                let response = gate::guard(app.clone(), permission, request, next).await;
                let status = response.status();
                app.metrics().answered(path, &method, status, begun.elapsed());
                response
            }
        }));
        router = router.route(route.path, guarded);
    }
    router
        .fallback(nowhere)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn(gate::outermost))
        .with_state(app)
}
