//! Icons: our own strokes on a grid of 24, in the colour of the text around them.

use maud::{Markup, PreEscaped, html};

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    Add,
    Alert,
    Arrow,
    Back,
    Bell,
    Box,
    Camera,
    Check,
    Chevron,
    Clock,
    Close,
    Copy,
    Database,
    Dots,
    Download,
    External,
    File,
    Folder,
    Full,
    Globe,
    Heart,
    Home,
    Info,
    Key,
    Language,
    Keyboard,
    Layers,
    Link,
    LogOut,
    Moon,
    People,
    Person,
    Play,
    Receipt,
    Restore,
    Rules,
    Scale,
    Search,
    Server,
    Settings,
    Shield,
    Stop,
    Sun,
    Trash,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Add => "<path d='M12 5v14M5 12h14'/>",
            Self::Alert => "<path d='M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.2'/>",
            Self::Arrow => "<path d='M5 12h14M13 6l6 6-6 6'/>",
            Self::Back => "<path d='M15 5l-7 7 7 7'/>",
            Self::Bell => "<path d='M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20.5h4'/>",
            Self::Box => "<path d='M4 8l8-4 8 4v8l-8 4-8-4zM4 8l8 4 8-4M12 12v8'/>",
            Self::Camera => "<path d='M4 8h3.5L9 5.5h6L16.500 8H20v11H4z'/><circle cx='12' cy='13' r='3.500'/>",
            Self::Check => "<path d='M5 12.500l4.500 4.500L19 7'/>",
            Self::Chevron => "<path d='M6 9l6 6 6-6'/>",
            Self::Clock => "<circle cx='12' cy='12' r='8.500'/><path d='M12 7v5l3.500 2'/>",
            Self::Close => "<path d='M6 6l12 12M18 6L6 18'/>",
            Self::Copy => "<rect x='9' y='9' width='11' height='11' rx='2'/><path d='M5 15H4V5a1 1 0 0 1 1-1h10v1'/>",
            Self::Database => {
                "<ellipse cx='12' cy='6' rx='7' ry='3'/><path d='M5 6v6c0 1.700 3.100 3 7 3s7-1.300 7-3V6M5 12v6c0 1.700 3.100 3 7 3s7-1.300 7-3v-6'/>"
            }
            Self::Dots => "<path d='M4 7h16M4 12h16M4 17h16'/>",
            Self::Download => "<path d='M12 4v11M7 10.500l5 5 5-5M5 20h14'/>",
            Self::External => "<path d='M10 5H5v14h14v-5M14 4h6v6M20 4l-9 9'/>",
            Self::File => "<path d='M6 3.500h8l4 4v13H6zM14 3.500v4h4M9 12h6M9 16h6'/>",
            Self::Folder => "<path d='M3.500 6h6l2 2.500h9V19h-17z'/>",
            Self::Full => "<path d='M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5'/>",
            Self::Globe => {
                "<circle cx='12' cy='12' r='8.500'/><path d='M3.500 12h17M12 3.500c2.500 2.500 3.500 5.500 3.500 8.500s-1 6-3.500 8.500c-2.500-2.500-3.500-5.500-3.500-8.500s1-6 3.500-8.500z'/>"
            }
            Self::Heart => "<path d='M3 12h4l2.500-6 4.500 12 2.500-6H21'/>",
            Self::Home => "<path d='M4 11l8-7 8 7v9h-5.500v-5.500h-5V20H4z'/>",
            Self::Info => "<circle cx='12' cy='12' r='8.500'/><path d='M12 11v5M12 7.800v.2'/>",
            Self::Key => "<circle cx='8' cy='15' r='4'/><path d='M11 12l8.500-8.500M16 7l3 3M13.500 9.500l2 2'/>",
            Self::Language => {
                "<path d='M3.500 6.500h10M8.500 4v2.500M11.500 6.500c-1 4-4 7-7.500 8.500M6 9.500c1.500 2.500 3.500 4.300 6 5.500M12.500 20l4-10 4 10M14 16.500h5'/>"
            }
            Self::Keyboard => {
                "<rect x='3' y='6' width='18' height='12' rx='2'/><path d='M7 10h.2M11 10h.2M15 10h.2M17.500 10h.2M8 14.500h8'/>"
            }
            Self::Layers => "<path d='M12 4l9 5-9 5-9-5zM3.500 13.500L12 18l8.500-4.500'/>",
            Self::Link => {
                "<path d='M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-6-6l-1.500 1.500M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 6 6l1.500-1.500'/>"
            }
            Self::LogOut => "<path d='M14 4H5v16h9M10 12h11M17 8l4 4-4 4'/>",
            Self::Moon => "<path d='M20 14.500A8.500 8.500 0 1 1 9.500 4a7 7 0 0 0 10.500 10.500z'/>",
            Self::People => {
                "<circle cx='9' cy='8' r='3.500'/><path d='M2.500 20c.5-4 3-6 6.500-6s6 2 6.500 6M15.500 4.800a3.500 3.500 0 0 1 0 6.400M18 14.500c2 .8 3.200 2.600 3.500 5.500'/>"
            }
            Self::Person => {
                "<circle cx='12' cy='8' r='4'/><path d='M4.500 20.500c.7-4.300 3.500-6.500 7.500-6.500s6.800 2.200 7.500 6.500'/>"
            }
            Self::Play => "<path d='M7 5l12 7-12 7z'/>",
            Self::Receipt => {
                "<path d='M5 3.500h14v17l-2.300-1.500-2.400 1.500-2.300-1.500-2.300 1.500-2.400-1.500L5 20.500zM9 8.500h6M9 12.500h6'/>"
            }
            Self::Restore => "<path d='M4 12a8 8 0 1 0 2.500-5.800L4 8.500M4 4v4.500h4.500M12 8v4.500l3 1.500'/>",
            Self::Rules => "<path d='M6 3.500h12v17H6zM9.500 8h5M9.500 12h5M9.500 16h3'/>",
            Self::Scale => {
                "<path d='M12 4v16M7 20h10M5 7h14M5 7l-2.500 6.500a3 3 0 0 0 5 0zM19 7l-2.500 6.500a3 3 0 0 0 5 0z'/>"
            }
            Self::Search => "<circle cx='11' cy='11' r='6.500'/><path d='M16 16l4.500 4.500'/>",
            Self::Server => {
                "<rect x='4' y='4' width='16' height='7' rx='1.500'/><rect x='4' y='13' width='16' height='7' rx='1.500'/><path d='M8 7.500h.2M8 16.500h.2'/>"
            }
            Self::Settings => {
                "<path d='M4 7h9M17 7h3M4 17h3M11 17h9'/><circle cx='15' cy='7' r='2'/><circle cx='9' cy='17' r='2'/>"
            }
            Self::Shield => {
                "<path d='M12 3.500l7.500 2.700v5.300c0 4.300-3 7.500-7.500 9-4.500-1.500-7.500-4.700-7.500-9V6.200z'/>"
            }
            Self::Stop => "<rect x='6.500' y='6.500' width='11' height='11' rx='1.500'/>",
            Self::Sun => {
                "<circle cx='12' cy='12' r='4'/><path d='M12 3v2M12 19v2M3 12h2M19 12h2M5.600 5.600L7 7M17 17l1.400 1.400M5.600 18.400L7 17M17 7l1.400-1.400'/>"
            }
            Self::Trash => {
                "<path d='M4.500 6.500h15M9.500 6.500V4h5v2.500M6.500 6.500L7.500 20h9l1-13.500M10.500 10.500v6M13.500 10.500v6'/>"
            }
        }
    }

    /// The icon; it says nothing to screen readers, for words stand beside it.
    pub(crate) fn show(self) -> Markup {
        html! { svg class="icon" viewBox="0 0 24 24" aria-hidden="true" { (PreEscaped(self.path())) } }
    }

    /// The same, smaller, at the end of what opens.
    pub(crate) fn chevron() -> Markup {
        html! { svg class="icon chevron" viewBox="0 0 24 24" aria-hidden="true" { (PreEscaped(Self::Chevron.path())) } }
    }
}
