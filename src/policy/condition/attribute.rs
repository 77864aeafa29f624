//! The attributes that a condition may read.

use std::collections::BTreeSet;

use crate::model::action::Action;

/// One attribute of the published schema (`agent.cedarschema`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    AgentType,
    AgentId,
    Host,
    HostLabels,
    User,
    Uid,
    Exe,
    Container,
    Interactive,
    TimeOfDay,
    Hour,
    Weekday,
    Path,
    Address,
    Port,
    Protocol,
    Sni,
}

/// The Cedar variable an attribute belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    Principal,
    Context,
    Resource,
}

impl Variable {
    pub fn name(self) -> &'static str {
        match self {
            Variable::Principal => "principal",
            Variable::Context => "context",
            Variable::Resource => "resource",
        }
    }

    pub(super) fn named(name: &str) -> Option<Variable> {
        [Variable::Principal, Variable::Context, Variable::Resource]
            .into_iter()
            .find(|variable| variable.name() == name)
    }
}

impl Attribute {
    pub const ALL: [Attribute; 17] = [
        Attribute::AgentType,
        Attribute::AgentId,
        Attribute::Host,
        Attribute::HostLabels,
        Attribute::User,
        Attribute::Uid,
        Attribute::Exe,
        Attribute::Container,
        Attribute::Interactive,
        Attribute::TimeOfDay,
        Attribute::Hour,
        Attribute::Weekday,
        Attribute::Path,
        Attribute::Address,
        Attribute::Port,
        Attribute::Protocol,
        Attribute::Sni,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Attribute::AgentType => "agent_type",
            Attribute::AgentId => "agent_id",
            Attribute::Host => "host",
            Attribute::HostLabels => "host_labels",
            Attribute::User => "user",
            Attribute::Uid => "uid",
            Attribute::Exe => "exe",
            Attribute::Container => "container",
            Attribute::Interactive => "interactive",
            Attribute::TimeOfDay => "time_of_day",
            Attribute::Hour => "hour",
            Attribute::Weekday => "weekday",
            Attribute::Path => "path",
            Attribute::Address => "address",
            Attribute::Port => "port",
            Attribute::Protocol => "protocol",
            Attribute::Sni => "sni",
        }
    }

    pub fn variable(self) -> Variable {
        match self {
            Attribute::TimeOfDay | Attribute::Hour | Attribute::Weekday => Variable::Context,
            Attribute::Path
            | Attribute::Address
            | Attribute::Port
            | Attribute::Protocol
            | Attribute::Sni => Variable::Resource,
            _ => Variable::Principal,
        }
    }

    /// Whether the resource of `action` has the attribute; attributes of the others always are.
    pub fn belongs_to(self, action: Action) -> bool {
        match self {
            Attribute::Path => action.takes_path(),
            Attribute::Address | Attribute::Port | Attribute::Protocol => {
                action == Action::NetConnect
            }
            Attribute::Sni => action == Action::TlsConnect,
            _ => true,
        }
    }

    pub(super) fn named(variable: Variable, name: &str) -> Option<Attribute> {
        Attribute::ALL
            .into_iter()
            .find(|a| a.variable() == variable && a.name() == name)
    }
}

/// What a condition reads: it decides where and when the condition is evaluated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs(pub BTreeSet<Attribute>);

impl Needs {
    pub fn reads(&self, attribute: Attribute) -> bool {
        self.0.contains(&attribute)
    }

    /// Whether the answer changes with the clock.
    pub fn time(&self) -> bool {
        self.any(Variable::Context)
    }

    pub fn principal(&self) -> bool {
        self.any(Variable::Principal)
    }

    /// Whether it reads something that only user space knows of a session. The agent's type and
    /// the executable are the kernel's own.
    pub fn session(&self) -> bool {
        self.0.iter().any(|attribute| {
            attribute.variable() == Variable::Principal
                && !matches!(attribute, Attribute::AgentType | Attribute::Exe)
        })
    }

    pub fn resource(&self) -> bool {
        self.any(Variable::Resource)
    }

    fn any(&self, variable: Variable) -> bool {
        self.0
            .iter()
            .any(|attribute| attribute.variable() == variable)
    }
}
