//! What the server's problem table and the problem page share.

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A sign-in has failed.
    Failed,
    /// A sign-in has to wait.
    Pause,
    /// It concerns a request rather than a sign-in.
    Request,
}

/// Who can fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The person in front of the page.
    You,
    /// The operator of this program.
    Operator,
    /// The operator of the provider.
    Provider,
    /// Nobody has to: it resolves itself.
    Nobody,
}

/// What the problem page's button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WayOn {
    /// Starts a new sign-in with the same provider and the same page to return to.
    StartAgain,
    /// Requests the same URL again; nothing is lost.
    TryAgain,
    /// Starts a sign-in in which the provider asks who the person is (`prompt=login`).
    UseAnotherAccount,
    /// Goes to the login page.
    Login,
    /// The same, for another provider.
    OtherProvider,
    /// The same in a new tab, so that the page before can be gone back to.
    SignInBeside,
    /// Goes to the home page.
    Home,
}
