//! The one table of the API: method, path, who may, what it takes and gives, and its handler. The router, the permissions, the
//! OpenAPI text and the permission tests are all made from it.

use crate::app::App;
use crate::gate;
use crate::http::{accounts, archive, cases, events, me, no_method, nowhere, orders, solutions, tokens};
use crate::openapi::Shape;
use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use husorden_wire::api;
use utoipa::ToSchema;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Without a token.
    Anybody,
    /// Any token; an account sees and changes its own.
    Both,
    /// Staff.
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
    /// Whether it changes anything; a read-only token may not.
    pub writes: bool,
    /// Whether it stays open to an account that a measure holds.
    pub when_held: bool,
    /// Its body.
    pub body: Body,
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
    pub(crate) query: &'static [&'static str],
    status: u16,
    handler: MethodRouter<App>,
}

impl Route {
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

    fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) const fn success(&self) -> u16 {
        self.status
    }
}

fn route<H, T>(method: Method, path: &'static str, reach: Reach, summary: &'static str, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    let filter = match method.as_str() {
        "POST" => MethodFilter::POST,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    };
    Route {
        path,
        permission: Permission { reach, writes: method != Method::GET, when_held: false, body: Body::Json },
        summary,
        takes: None,
        gives: None,
        query: &[],
        status: 200,
        handler: on(filter, handler),
        method,
    }
}

fn get<H: Handler<T, App>, T: 'static>(path: &'static str, reach: Reach, summary: &'static str, handler: H) -> Route {
    route(Method::GET, path, reach, summary, handler)
}

fn post<H: Handler<T, App>, T: 'static>(path: &'static str, reach: Reach, summary: &'static str, handler: H) -> Route {
    route(Method::POST, path, reach, summary, handler)
}

fn patch<H: Handler<T, App>, T: 'static>(path: &'static str, reach: Reach, summary: &'static str, handler: H) -> Route {
    route(Method::PATCH, path, reach, summary, handler)
}

fn delete<H: Handler<T, App>, T: 'static>(
    path: &'static str,
    reach: Reach,
    summary: &'static str,
    handler: H,
) -> Route {
    route(Method::DELETE, path, reach, summary, handler)
}

const PAGE: &[&str] = &["after", "limit"];

/// Every route.
#[rustfmt::skip]
#[must_use]
pub fn table() -> Vec<Route> {
    use Reach::{Anybody, Both, Staff};
    use api::{Account, AccountCreate, Case, CaseCreate, CredentialShown, Event, Evidence, Kind, Me, Measure, MeasureLift, Node, Order,
        Snapshot, SnapshotCreate, Solution, SolutionChange, SolutionCreate, SolutionCreated, Token, TokenCreate};
    vec![
        get("/healthz", Anybody, "Whether the API and its database are alive", me::health),
        get("/v1/openapi.json", Anybody, "This description", me::document),
        get("/v1/me", Both, "Who the token stands for", me::me).gives::<Me>().when_held(),
        get("/v1/kinds", Both, "The kinds of solutions and their specs", me::kinds).gives_page::<Kind>(),

        get("/v1/solutions", Both, "List solutions", solutions::list).gives_page::<Solution>()
            .asks(&["after", "limit", "kind", "state", "label", "q", "account"]),
        post("/v1/solutions", Both, "Make a solution", solutions::create).takes::<SolutionCreate>().gives::<SolutionCreated>().status(201),
        get("/v1/solutions/{solution}", Both, "Show a solution, by id or name", solutions::get).gives::<Solution>(),
        patch("/v1/solutions/{solution}", Both, "Change a solution", solutions::change).takes::<SolutionChange>().gives::<Solution>(),
        delete("/v1/solutions/{solution}", Both, "Delete a solution; undo brings it back until its retention is over", solutions::delete)
            .gives::<Solution>(),
        post("/v1/solutions/{solution}/start", Both, "Let a solution run", solutions::start).gives::<Solution>(),
        post("/v1/solutions/{solution}/stop", Both, "Stop a solution and keep its data", solutions::stop).gives::<Solution>(),
        post("/v1/solutions/{solution}/undo", Both, "Undo a deletion (the answer is the solution), or the newest restore, unpacking or destructive change (an order)", solutions::undo)
            .gives::<Order>().status(202),
        post("/v1/solutions/{solution}/wake", Both, "Start its services now rather than at the first request", orders::wake)
            .gives::<Order>().status(202),
        post("/v1/solutions/{solution}/sleep", Both, "Stop its services until the next request", orders::sleep).gives::<Order>().status(202),
        post("/v1/solutions/{solution}/archive", Both, "Upload an archive and unpack it into the solution's files", archive::upload)
            .takes_bytes().gives::<Order>().asks(&["format", "into"]).status(202),
        post("/v1/solutions/{solution}/credentials/{credential}", Both, "Make a new password, shown once", solutions::credential)
            .gives::<CredentialShown>(),
        get("/v1/solutions/{solution}/snapshots", Both, "List snapshots", orders::snapshots).gives_page::<Snapshot>().asks(PAGE),
        post("/v1/solutions/{solution}/snapshots", Both, "Take a snapshot", orders::snapshot)
            .takes::<SnapshotCreate>().gives::<Order>().status(202),
        delete("/v1/solutions/{solution}/snapshots/{snapshot}", Both, "Delete a snapshot", orders::snapshot_delete)
            .gives::<Order>().status(202),
        post("/v1/solutions/{solution}/snapshots/{snapshot}/restore", Both, "Bring a solution back to a snapshot", orders::snapshot_restore)
            .gives::<Order>().status(202),
        get("/v1/solutions/{solution}/orders", Both, "List what was asked of the node", orders::list).gives_page::<Order>().asks(PAGE),
        get("/v1/orders/{order}", Both, "Show how far an order is", orders::get).gives::<Order>(),
        get("/v1/solutions/{solution}/events", Both, "What happened to a solution; a stream with Accept: text/event-stream", events::of_solution)
            .gives_page::<Event>().asks(PAGE),
        get("/v1/events", Both, "What happened; a stream with Accept: text/event-stream", events::all).gives_page::<Event>().asks(PAGE),

        get("/v1/accounts", Staff, "List accounts", accounts::list).gives_page::<Account>().asks(PAGE),
        post("/v1/accounts", Staff, "Make an account", accounts::create).takes::<AccountCreate>().gives::<Account>().status(201),
        get("/v1/tokens", Both, "List tokens", tokens::list).gives_page::<Token>().asks(PAGE),
        post("/v1/tokens", Both, "Make a token, shown once", tokens::create).takes::<TokenCreate>().gives::<Token>().status(201),
        delete("/v1/tokens/{token}", Both, "Revoke a token", tokens::revoke).status(204),

        get("/v1/cases", Staff, "List cases", cases::list).gives_page::<Case>().asks(PAGE),
        post("/v1/cases", Staff, "Open a case", cases::open).takes::<CaseCreate>().gives::<Case>().status(201),
        get("/v1/cases/{case}", Staff, "Show a case, by id or number", cases::get).gives::<Case>(),
        post("/v1/cases/{case}/decisions", Staff, "Decide in a case: a measure, with clause and reasons", cases::decide)
            .takes_object().gives::<Measure>().status(201),
        get("/v1/measures", Both, "List measures; an account sees its own", cases::measures).gives_page::<Measure>().asks(PAGE).when_held(),
        post("/v1/measures/{measure}/lift", Staff, "Lift a measure, with reasons", cases::lift).takes::<MeasureLift>().gives::<Measure>(),
        get("/v1/evidence", Both, "What was done and by whom; an account sees its own lines", cases::evidence)
            .gives_page::<Evidence>().asks(&["after", "limit", "solution"]),
        get("/v1/nodes", Staff, "List nodes", accounts::nodes).gives_page::<Node>(),
    ]
}

/// The router, each route behind its permission.
pub fn router(app: App) -> Router {
    let mut router = Router::new();
    for route in table() {
        let (app, permission) = (app.clone(), route.permission);
        let guarded = route.handler.layer(middleware::from_fn(move |request: Request, next: Next| {
            gate::guard(app.clone(), permission, request, next)
        }));
        router = router.route(route.path, guarded);
    }
    router
        .fallback(nowhere)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn(gate::outermost))
        .with_state(app)
}
