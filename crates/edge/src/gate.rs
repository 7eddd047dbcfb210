//! The gate phase: whether a site's standing lets a request through, before anything of the site is touched.

use crate::accept::Scheme;
use crate::connection::{Connection, Track};
use crate::pages::Page;
use crate::route::Route;
use http::Method;
use husorden_base::site::Standing;

/// What a request that does not pass is answered with.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A page of the edge's own.
    Page(Page),
    /// The same address over HTTPS.
    ToHttps,
}

/// Lets a request through to its site's files and scripts. From here on the track is cut when the site closes.
pub(crate) fn gate(connection: &Connection, track: &Track, route: &mut Route, method: &Method) -> Result<(), Stop> {
    // The site may close between being found and being joined; then it is found again, in its new form.
    while route.site.is_open() && !track.join(&route.site.streams) {
        route.site = connection.edge.table.find(&route.host).ok_or(Stop::Page(Page::UnknownHost))?;
    }
    match &route.site.site.standing {
        Standing::Open => {}
        Standing::Stopped => return Err(Stop::Page(Page::Stopped)),
        Standing::Preparing => return Err(Stop::Page(Page::Preparing)),
        Standing::Closed { case } => return Err(Stop::Page(Page::Closed { case: case.clone() })),
        Standing::Troubled { text } => return Err(Stop::Page(Page::Troubled { text: text.clone() })),
    }
    if *method == Method::CONNECT || *method == Method::TRACE {
        return Err(Stop::Page(Page::MethodNotAllowed));
    }
    let is_challenge = route.path.as_str().starts_with("/.well-known/acme-challenge/");
    if connection.peer.scheme == Scheme::Http && route.site.site.https_only && !is_challenge {
        return Err(Stop::ToHttps);
    }
    Ok(())
}
