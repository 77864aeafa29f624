//! Facts of one question, as Cedar reads them.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};

use crate::model::action::Action;
use crate::model::resource::Protocol;
use crate::policy::fact::Fact;
use crate::policy::moment::Moment;
use crate::policy::principal::Principal;

use super::atom::cedar_text;
use super::attribute::{Attribute, Needs};

/// The object of a question, narrowed to one path.
#[derive(Clone, Copy, Debug)]
pub enum Object<'a> {
    Path(&'a [u8]),
    Peer {
        ip: IpAddr,
        port: u16,
        protocol: Protocol,
    },
    ServerName(Option<&'a str>),
    Unknown,
}

/// Everything a condition may read about one question. Cedar's form is made when a condition first
/// asks, and once for all conditions.
pub struct Facts<'a> {
    principal: &'a Principal,
    agent_type: Fact<&'a str>,
    action: Action,
    moment: Option<Moment>,
    object: Object<'a>,
    cedar: OnceCell<Option<(Request, Entities)>>,
}

impl<'a> Facts<'a> {
    /// `agent_type` is the one of the principal's types that the question is about.
    pub fn new(
        principal: &'a Principal,
        agent_type: Fact<&'a str>,
        action: Action,
        object: Object<'a>,
        moment: Option<Moment>,
    ) -> Facts<'a> {
        Facts {
            principal,
            agent_type,
            action,
            moment,
            object,
            cedar: OnceCell::new(),
        }
    }

    /// Whether every attribute of `needs` is known.
    pub(super) fn settle(&self, needs: &Needs) -> bool {
        needs.0.iter().all(|attribute| self.is_known(*attribute))
    }

    fn is_known(&self, attribute: Attribute) -> bool {
        let principal = self.principal;
        match attribute {
            Attribute::AgentType => self.agent_type.is_known(),
            Attribute::AgentId => principal.agent_id.is_known(),
            Attribute::Host => principal.host.is_known(),
            Attribute::HostLabels => principal.host_labels.is_known(),
            Attribute::User => principal.user.is_known(),
            Attribute::Uid => principal.uid.is_known(),
            Attribute::Exe => principal.exe.is_known(),
            Attribute::Container => principal.container.is_known(),
            Attribute::Interactive => principal.interactive.is_known(),
            Attribute::TimeOfDay | Attribute::Hour | Attribute::Weekday => self.moment.is_some(),
            Attribute::Path => matches!(self.object, Object::Path(_)),
            Attribute::Address | Attribute::Port | Attribute::Protocol => {
                matches!(self.object, Object::Peer { .. })
            }
            Attribute::Sni => matches!(self.object, Object::ServerName(_)),
        }
    }

    /// `None` when Cedar refuses the facts, which then settle nothing.
    pub(super) fn cedar(&self) -> Option<&(Request, Entities)> {
        self.cedar.get_or_init(|| self.build()).as_ref()
    }

    fn build(&self) -> Option<(Request, Entities)> {
        let principal: EntityUid = r#"Agent::"""#.parse().ok()?;
        let action: EntityUid = format!(r#"Action::"{}""#, self.action).parse().ok()?;
        let resource: EntityUid = r#"Resource::"""#.parse().ok()?;
        let entities = [
            Entity::new(
                principal.clone(),
                self.principal_attributes()?,
                HashSet::new(),
            )
            .ok()?,
            Entity::new(resource.clone(), self.resource_attributes(), HashSet::new()).ok()?,
        ];
        let entities = Entities::from_entities(entities, None).ok()?;
        let context = Context::from_pairs(self.context_attributes()).ok()?;
        Some((
            Request::new(principal, action, resource, context, None).ok()?,
            entities,
        ))
    }

    /// An unknown attribute has a value that no condition is asked about.
    fn principal_attributes(&self) -> Option<HashMap<String, RestrictedExpression>> {
        let principal = self.principal;
        let text = |fact: &Fact<String>| string(fact.known().map_or("", String::as_str));
        let labels = principal.host_labels.known().into_iter().flatten();
        let labels = labels.map(|(key, value)| (key.clone(), string(value)));
        let uid = i64::from(principal.uid.known().copied().unwrap_or(0));
        let interactive = principal.interactive.known().copied().unwrap_or(false);
        let exe = principal
            .exe
            .known()
            .map(|exe| cedar_text(exe))
            .unwrap_or_default();
        Some(named([
            (
                Attribute::AgentType,
                string(self.agent_type.known().copied().unwrap_or("")),
            ),
            (Attribute::AgentId, text(&principal.agent_id)),
            (Attribute::Host, text(&principal.host)),
            (
                Attribute::HostLabels,
                RestrictedExpression::new_record(labels).ok()?,
            ),
            (Attribute::User, text(&principal.user)),
            (Attribute::Uid, RestrictedExpression::new_long(uid)),
            (Attribute::Exe, string(&exe)),
            (Attribute::Container, text(&principal.container)),
            (
                Attribute::Interactive,
                RestrictedExpression::new_bool(interactive),
            ),
        ]))
    }

    fn context_attributes(&self) -> HashMap<String, RestrictedExpression> {
        let Some(moment) = self.moment else {
            return HashMap::new();
        };
        named([
            (Attribute::TimeOfDay, string(moment.time_of_day())),
            (
                Attribute::Hour,
                RestrictedExpression::new_long(i64::from(moment.hour())),
            ),
            (Attribute::Weekday, string(moment.weekday())),
        ])
    }

    fn resource_attributes(&self) -> HashMap<String, RestrictedExpression> {
        match self.object {
            Object::Path(path) => named([(Attribute::Path, string(&cedar_text(path)))]),
            Object::Peer { ip, port, protocol } => named([
                (Attribute::Address, string(&ip.to_canonical().to_string())),
                (
                    Attribute::Port,
                    RestrictedExpression::new_long(i64::from(port)),
                ),
                (Attribute::Protocol, string(&protocol.name())),
            ]),
            Object::ServerName(name) => named([(Attribute::Sni, string(name.unwrap_or("")))]),
            Object::Unknown => HashMap::new(),
        }
    }
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn named<const N: usize>(
    pairs: [(Attribute, RestrictedExpression); N],
) -> HashMap<String, RestrictedExpression> {
    pairs
        .into_iter()
        .map(|(attribute, value)| (attribute.name().to_owned(), value))
        .collect()
}
