//! What every page has around it.

use leptos::prelude::*;

use super::{
    display::{landing, own_path},
    lang::Lang,
};
use crate::paths;

/// Where the static files are, as the server found them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetUrls {
    /// The one style sheet.
    pub stylesheet: String,
    /// The mark, in SVG: icon of the tab and ornament of the page.
    pub favicon: String,
    /// The script that refreshes a page.
    pub again: String,
    /// The script that sends a page's form.
    pub submit: String,
    /// The constant loader: the content security policy allows no inline script.
    pub boot: String,
    /// The wasm's glue.
    pub script: String,
    /// The wasm.
    pub wasm: String,
}

impl AssetUrls {
    /// The same files below another prefix than `/auth`.
    #[must_use]
    pub fn below(&self, prefix: &str) -> Self {
        let below =
            |url: &str| url.strip_prefix(paths::ROOT).map_or_else(|| url.to_owned(), |rest| format!("{prefix}{rest}"));
        Self {
            stylesheet: below(&self.stylesheet),
            favicon: below(&self.favicon),
            again: below(&self.again),
            submit: below(&self.submit),
            boot: below(&self.boot),
            script: below(&self.script),
            wasm: below(&self.wasm),
        }
    }
}

/// What every page needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Shell<'a> {
    /// The language to speak.
    pub lang: Lang,
    /// The static files to link.
    pub assets: &'a AssetUrls,
}

/// What a page loads besides its style.
pub(super) enum Script<'a> {
    /// Nothing: most pages.
    None,
    /// The panel's program; where it cannot run (wasm is forbidden, a file is missing), the loader goes to this path.
    Panel { otherwise: Option<&'a str> },
    /// What sends the page's one form.
    Submit,
}

/// When a page is requested again, or another one instead.
pub(super) enum Refresh<'a> {
    Never,
    /// After so many seconds: this page, or the path. Without script it is reloaded in any case; with script only once
    /// it has changed.
    After(u32, Option<&'a str>),
    /// At once.
    AtOnce(&'a str),
    /// At once, but only where no script runs.
    WithoutScript(&'a str),
}

impl Refresh<'_> {
    /// The `<meta>` that refreshes the page, without script or in any case.
    fn meta(&self) -> Option<AnyView> {
        let content = match self {
            Self::Never => return None,
            Self::After(seconds, None) => seconds.to_string(),
            Self::After(seconds, Some(path)) => format!("{seconds};url={}", own_path(path)),
            Self::AtOnce(to) => format!("0;url={}", landing(to)),
            Self::WithoutScript(path) => format!("0;url={}", own_path(path)),
        };
        let meta = view! { <meta http-equiv="refresh" content=content /> };
        Some(match self {
            Self::AtOnce(_) => meta.into_any(),
            _ => view! { <noscript>{meta}</noscript> }.into_any(),
        })
    }

    /// The script that does the same where scripts run.
    fn script(&self, assets: &AssetUrls) -> Option<impl IntoView + use<>> {
        let Self::After(seconds, path) = self else { return None };
        Some(view! {
            <script
                r#type="module"
                src=assets.again.clone()
                data-seconds=seconds.to_string()
                data-path=path.map(|path| own_path(path).to_owned())
            ></script>
        })
    }
}

impl Script<'_> {
    /// What loads the panel's program.
    fn links(&self, assets: &AssetUrls) -> Option<AnyView> {
        match self {
            Self::None => None,
            Self::Submit => Some(view! { <script r#type="module" src=assets.submit.clone()></script> }.into_any()),
            Self::Panel { otherwise } => Some(Self::panel(assets, *otherwise).into_any()),
        }
    }

    fn panel(assets: &AssetUrls, otherwise: Option<&str>) -> impl IntoView + use<> {
        view! {
            <link rel="modulepreload" href=assets.script.clone() />
            <link
                rel="preload"
                r#as="fetch"
                r#type="application/wasm"
                crossorigin="anonymous"
                href=assets.wasm.clone()
            />
            <script
                r#type="module"
                src=assets.boot.clone()
                data-js=assets.script.clone()
                data-wasm=assets.wasm.clone()
                data-otherwise=otherwise.map(|path| own_path(path).to_owned())
            ></script>
        }
    }
}

impl Shell<'_> {
    /// The whole document: `<head>`, the ornament, and `content`.
    pub(super) fn document<V: IntoView>(
        &self,
        title: &'static str,
        refresh: &Refresh<'_>,
        script: &Script<'_>,
        content: impl FnOnce() -> V,
    ) -> String {
        let assets = self.assets;
        Owner::new_root(None).with(|| {
            view! {
                <!DOCTYPE html>
                <html lang=self.lang.tag()>
                    <head>
                        <meta charset="utf-8" />
                        <title>{title}</title>
                        <meta name="viewport" content="width=device-width, initial-scale=1" />
                        <meta name="color-scheme" content="light dark" />
                        <meta name="robots" content="noindex" />
                        {refresh.meta()}
                        <link rel="icon" r#type="image/svg+xml" href=assets.favicon.clone() />
                        <link rel="stylesheet" href=assets.stylesheet.clone() />
                        {refresh.script(assets)}
                        {script.links(assets)}
                    </head>
                    <body>
                        <main>
                            <img class="mark" src=assets.favicon.clone() alt="" width="48" height="48" />
                            {content()}
                        </main>
                    </body>
                </html>
            }
            .to_html()
        })
    }
}
