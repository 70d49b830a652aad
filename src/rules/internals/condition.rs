//! A condition's syntax tree becomes a tree of clauses; what is not understood stays the interpreter's.

use rhai::{AST, ASTNode, Dynamic, Expr, FnCallExpr, Stmt};

use super::{Place, text, variable};
use crate::model::fact::{Fact, Kind, Reading, Takes};
use crate::model::predicate::{Clause, Leaf, Literal, Operator, Predicate};
use crate::rules::helpers::{MAX_DAYS, Span};
use crate::rules::modules::{Unit, Units};
use crate::rules::tell::Quick;

/// What is known where a condition stands.
pub(in crate::rules) struct Site<'a> {
    /// The file.
    pub unit: &'a Unit,
    /// All files, for functions that it calls.
    pub units: &'a Units,
    /// The closure's parameters, captured ones first.
    pub parameters: &'a [String],
    /// The values of the captured ones.
    pub captured: &'a [Dynamic],
    /// Stands before the words of its clauses: the function that they are in.
    pub within: &'a str,
}

/// A condition and, for each leaf, the script that answers it alone.
pub(in crate::rules) struct Condition {
    pub predicate: Predicate,
    /// For each leaf, what is asked in its place when it is that simple.
    pub quick: Vec<Option<Quick>>,
    pub scripts: Vec<LeafScript>,
    /// The values that the closure captured, by the names that they have inside.
    pub world: Vec<(String, Dynamic)>,
    pub body: Option<Body>,
}

/// What a closure calculates, without the function around it.
pub(in crate::rules) struct Body {
    pub expression: Expr,
    /// Names of its parameters, captured ones first.
    pub parameters: Vec<String>,
}

/// A leaf as a script of its own.
pub(in crate::rules) struct LeafScript {
    pub ast: AST,
    /// The name of the customer inside.
    pub customer: String,
    /// The file that its text stands in.
    pub file: String,
    /// Where.
    pub at: Place,
    /// How many characters of that line it takes.
    pub length: usize,
}

/// How deep functions that call each other are followed.
const MAX_DEPTH: usize = 16;
/// Most leaves in one condition; what is longer stays the interpreter's.
const MAX_LEAVES: usize = 2_000;

/// Reads function `name` of the site's file.
pub(in crate::rules) fn condition(name: &str, site: &Site<'_>) -> Option<Condition> {
    let statement = body(name, site)?;
    let mut scripts = Vec::new();
    let predicate = Reader { site, scripts: &mut scripts, depth: 0 }.statement(&statement)?;
    let world = site.parameters.iter().cloned().zip(site.captured.iter().cloned()).collect();
    let quick = predicate.leaves().into_iter().map(Quick::of).collect();
    let expression = match statement {
        Stmt::Expr(expression) => Some(*expression),
        Stmt::FnCall(call, at) => Some(Expr::FnCall(call, at)),
        _ => None,
    };
    let body = expression.map(|expression| Body { expression, parameters: site.parameters.to_vec() });
    (scripts.len() <= MAX_LEAVES).then_some(Condition { predicate, quick, scripts, world, body })
}

/// The only statement of a function.
fn body(name: &str, site: &Site<'_>) -> Option<Stmt> {
    let mut alone = site.unit.ast.clone_functions_only();
    alone.retain_functions(|_, _, function, parameters| function == name && parameters == site.parameters.len());
    let mut body = Vec::new();
    alone.walk(&mut |path: &[ASTNode]| {
        if let [ASTNode::Stmt(statement)] = path {
            body.push((*statement).clone());
        }
        true
    });
    let [statement] = <[Stmt; 1]>::try_from(body).ok()?;
    Some(statement)
}

struct Reader<'a> {
    site: &'a Site<'a>,
    scripts: &'a mut Vec<LeafScript>,
    depth: usize,
}

impl Reader<'_> {
    fn statement(&mut self, statement: &Stmt) -> Option<Predicate> {
        match statement {
            Stmt::Expr(expression) => Some(self.read(expression)),
            Stmt::FnCall(call, at) => Some(self.read(&Expr::FnCall(call.clone(), *at))),
            Stmt::Block(block) => match block.statements() {
                [only] => self.statement(only),
                _ => None,
            },
            _ => None,
        }
    }

    fn read(&mut self, expression: &Expr) -> Predicate {
        match expression {
            Expr::And(parts, _) => Predicate::All(parts.iter().map(|part| self.read(part)).collect()),
            Expr::Or(parts, _) => Predicate::Any(parts.iter().map(|part| self.read(part)).collect()),
            Expr::FnCall(call, _) if call.is_operator_call() && call.name == "!" && call.args.len() == 1 => {
                Predicate::Not(Box::new(self.read(&call.args[0])))
            }
            Expr::Stmt(block) if block.statements().len() == 1 => match &block.statements()[0] {
                Stmt::Expr(inner) => self.read(inner),
                Stmt::FnCall(call, at) => self.read(&Expr::FnCall(call.clone(), *at)),
                _ => self.leaf(expression),
            },
            Expr::FnCall(call, _) => self.segment(call).unwrap_or_else(|| self.leaf(expression)),
            other => self.leaf(other),
        }
    }

    /// A function that is asked about the customer is read as if its body stood here: segments that rules share are as fast as clauses.
    fn segment(&mut self, call: &FnCallExpr) -> Option<Predicate> {
        let site = self.site;
        let [customer] = call.args.as_slice() else { return None };
        if !self.is_customer(customer) || self.depth == MAX_DEPTH || self.scripts.len() > MAX_LEAVES {
            return None;
        }
        let unit = if call.namespace.is_empty() { site.unit } else { site.units.get(site.unit.module_of(call.namespace.root())?)? };
        let function = unit.outline.functions.iter().find(|function| function.name == call.name.as_str() && function.parameters.len() == 1)?;
        let within = if call.namespace.is_empty() { format!("{}: ", call.name) } else { format!("{}::{}: ", call.namespace.root(), call.name) };
        let inner = Site { unit, units: site.units, parameters: &function.parameters, captured: &[], within: &within };
        let statement = body(&function.name, &inner)?;
        Reader { site: &inner, scripts: self.scripts, depth: self.depth + 1 }.statement(&statement)
    }

    fn leaf(&mut self, expression: &Expr) -> Predicate {
        let clause = self.clause(expression).unwrap_or(Clause::Script);
        let number = self.scripts.len();
        let ast = AST::new([Stmt::Expr(Box::new(expression.clone()))], self.site.unit.ast.shared_lib().clone());
        let (text, (at, length)) = snippet(&self.site.unit.text, begin(expression));
        let customer = self.site.parameters.last().cloned().unwrap_or_default();
        self.scripts.push(LeafScript { ast, customer, file: self.site.unit.file.clone(), at, length });
        let text = format!("{}{text}", self.site.within);
        Predicate::Leaf(Leaf { clause, text, number, reads: self.reads(expression) })
    }

    fn clause(&self, expression: &Expr) -> Option<Clause> {
        match expression {
            Expr::BoolConstant(value, _) => Some(Clause::Constant(*value)),
            Expr::FnCall(call, _) if call.is_operator_call() => self.comparison(call),
            // `x in list` is contains(list, x).
            Expr::FnCall(call, _) if call.name == "contains" && call.args.len() == 2 && call.namespace.is_empty() => {
                self.contains(&call.args[0], &call.args[1])
            }
            Expr::Dot(sides, flags, _) if flags.is_empty() => match &sides.rhs {
                Expr::MethodCall(call, _) if call.name == "has" && self.is_customer(&sides.lhs) => {
                    Some(Clause::Has(Fact::field(&text(call.args.first()?)?)?.into()))
                }
                Expr::Dot(inner, flags, _) if flags.is_empty() => match (&inner.lhs, &inner.rhs) {
                    (Expr::Property(property, _), Expr::MethodCall(call, _))
                        if property.2 == "tags" && call.name == "contains" && call.args.len() == 1 && self.is_customer(&sides.lhs) =>
                    {
                        Some(Clause::Tagged(self.text(&call.args[0])?))
                    }
                    _ => None,
                },
                _ => self.flag(expression),
            },
            _ => None,
        }
    }

    fn flag(&self, expression: &Expr) -> Option<Clause> {
        self.reading(expression).filter(|reading| kind(reading) == Kind::Flag).map(Clause::Flag)
    }

    fn contains(&self, list: &Expr, item: &Expr) -> Option<Clause> {
        if self.reading(list).is_some_and(|reading| reading.fact == Fact::Tags) {
            return Some(Clause::Tagged(self.text(item)?));
        }
        let fact = self.reading(item)?;
        let Expr::Array(items, _) = list else { return None };
        let list: Option<Vec<Literal>> = items.iter().map(|item| self.literal(item).filter(|literal| fits(&fact, literal))).collect();
        Some(Clause::OneOf { list: list?, fact })
    }

    fn comparison(&self, call: &FnCallExpr) -> Option<Clause> {
        let [left, right] = call.args.as_slice() else { return None };
        let operator = Operator::parse(&call.name)?;
        let ((fact, default), other, operator) = match (self.operand(left), self.operand(right)) {
            (Some(operand), None) => (operand, right, operator),
            (None, Some(operand)) if operator != Operator::NotEqual => (operand, left, operator.flipped()),
            _ => return None,
        };
        if matches!(other, Expr::Unit(_)) && default.is_none() {
            return match operator {
                Operator::NotEqual => Some(Clause::Has(fact)),
                _ => None,
            };
        }
        let literal = self.literal(other).filter(|literal| fits(&fact, literal))?;
        // Flags have no order.
        let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
        (!ordered || !matches!(literal, Literal::Flag(_))).then_some(Clause::Compare { fact, default, operator, literal })
    }

    /// `c.fact` or `c.fact ?? default`.
    fn operand(&self, expression: &Expr) -> Option<(Reading, Option<Literal>)> {
        match expression {
            Expr::Coalesce(parts, _) => match parts.as_slice() {
                [fact, default] => {
                    let fact = self.reading(fact)?;
                    let default = self.literal(default).filter(|literal| fits(&fact, literal))?;
                    Some((fact, Some(default)))
                }
                _ => None,
            },
            other => self.reading(other).map(|fact| (fact, None)),
        }
    }

    /// A fact of the customer, with nothing behind it.
    fn reading(&self, expression: &Expr) -> Option<Reading> {
        let Expr::Dot(sides, flags, _) = expression else { return None };
        if !flags.is_empty() || !self.is_customer(&sides.lhs) {
            return None;
        }
        match &sides.rhs {
            Expr::Property(property, _) => Fact::field(&property.2).map(Reading::from),
            Expr::MethodCall(call, _) => self.with_brackets(call),
            _ => None,
        }
    }

    /// A fact whose brackets say what can be told from the text.
    fn with_brackets(&self, call: &FnCallExpr) -> Option<Reading> {
        let fact = Fact::named(&call.name)?;
        match (fact.about().takes, call.args.as_slice()) {
            (Takes::Days, [days]) => Some(Reading { fact, of: None, days: Some(self.days(days)?) }),
            (Takes::Name | Takes::NameAndDays, [of]) => Some(Reading { fact, of: Some(self.text(of)?.into()), days: None }),
            (Takes::NameAndDays, [of, days]) => Some(Reading { fact, of: Some(self.text(of)?.into()), days: Some(self.days(days)?) }),
            _ => None,
        }
    }

    /// `days(30)`, `weeks(2)`, or a captured length of time.
    fn days(&self, expression: &Expr) -> Option<i64> {
        let span = match expression {
            Expr::FnCall(call, _) if call.namespace.is_empty() && call.args.len() == 1 => {
                let Literal::Number(count) = self.literal(&call.args[0])? else { return None };
                Span::of(&call.name, count.try_into().ok().filter(|_| count.is_integer())?)?
            }
            other => self.captured(other)?.clone().try_cast::<Span>()?,
        };
        span.days().filter(|days| (1..=MAX_DAYS).contains(days))
    }

    /// What an expression reads, as far as its text tells.
    fn reads(&self, expression: &Expr) -> Vec<Reading> {
        let mut found: Vec<Reading> = Vec::new();
        expression.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Expr(Expr::Property(property, _))) => found.extend(Fact::field(&property.2).map(Reading::from)),
                Some(ASTNode::Expr(Expr::MethodCall(call, _))) if call.name == "has" => {
                    found.extend(call.args.first().and_then(text).and_then(|name| Fact::field(&name)).map(Reading::from));
                }
                Some(ASTNode::Expr(Expr::MethodCall(call, _))) => found.extend(self.with_brackets(call)),
                _ => {}
            }
            true
        });
        found.sort();
        found.dedup();
        found
    }

    /// The last parameter is the customer.
    fn is_customer(&self, expression: &Expr) -> bool {
        variable(expression).is_some_and(|name| self.site.parameters.last() == Some(&name))
    }

    /// A literal, or a captured value.
    fn literal(&self, expression: &Expr) -> Option<Literal> {
        let value = match variable(expression) {
            Some(_) => self.captured(expression)?.clone(),
            None => expression.get_literal_value(None)?,
        };
        if let Ok(number) = value.as_int() {
            return Some(Literal::Number(number.into()));
        }
        if let Ok(number) = value.as_decimal() {
            return Some(Literal::Number(number));
        }
        if let Ok(flag) = value.as_bool() {
            return Some(Literal::Flag(flag));
        }
        value.into_string().ok().map(Literal::Text)
    }

    fn captured(&self, expression: &Expr) -> Option<&Dynamic> {
        let name = variable(expression)?;
        let place = self.site.parameters.iter().position(|parameter| *parameter == name)?;
        self.site.captured.get(place)
    }

    fn text(&self, expression: &Expr) -> Option<String> {
        match self.literal(expression)? {
            Literal::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn kind(reading: &Reading) -> Kind {
    reading.fact.about().kind
}

/// Whether a fact can be compared with it; else the interpreter says what that means.
fn fits(fact: &Reading, literal: &Literal) -> bool {
    matches!(
        (kind(fact), literal),
        (Kind::Whole | Kind::Decimal, Literal::Number(_)) | (Kind::Text, Literal::Text(_)) | (Kind::Flag, Literal::Flag(_)) | (Kind::Any, _)
    )
}

/// Where an expression begins: line and column, from 1. An operator's own place is that of its sign.
fn begin(expression: &Expr) -> (usize, usize) {
    let inner = match expression {
        Expr::FnCall(call, _) if call.is_operator_call() && call.args.len() == 2 => call.args.first(),
        // `x in list`
        Expr::FnCall(call, _) if call.name == "contains" && call.args.len() == 2 => call.args.get(1).filter(|item| before(item, &call.args[0])),
        Expr::Dot(sides, ..) | Expr::Index(sides, ..) => Some(&sides.lhs),
        Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => parts.first(),
        _ => None,
    };
    inner.map_or_else(|| super::place(expression.start_position()), begin)
}

fn before(one: &Expr, other: &Expr) -> bool {
    begin(one) < begin(other)
}

/// The words (and where the first of them stands, and how many characters of its line they take) from a place up to where the clause ends: `&&`, `||`, or a bracket, comma or semicolon that belongs to what is around it.
fn snippet(text: &str, (line, column): Place) -> (String, (Place, usize)) {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let rest = text.get(lines..).unwrap_or_default();
    let mut from = lines + rest.char_indices().nth(column.saturating_sub(1)).map_or(0, |(place, _)| place);
    let (mut depth, mut quoted, mut to) = (0_i32, None, text.len());
    let mut characters = text.get(from..).unwrap_or_default().char_indices().peekable();
    let start = from;
    while let Some((place, character)) = characters.next() {
        let here = start + place;
        match (quoted, character) {
            (Some(_), '\\') => drop(characters.next()),
            (Some(quote), _) => quoted = quoted.filter(|_| character != quote),
            (None, '"' | '`' | '\'') => quoted = Some(character),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') if depth > 0 => depth -= 1,
            // A bracket that opened right before the clause belongs to it.
            (None, ')') if text.get(..from).is_some_and(|before| before.trim_end().ends_with('(')) && more(text, here) => {
                from = text.get(..from).and_then(|before| before.rfind('(')).unwrap_or(from);
            }
            (None, ')' | ']' | '}' | ',' | ';') if depth == 0 => to = here,
            (None, '&' | '|') if depth == 0 && characters.peek().is_some_and(|(_, next)| *next == character) => to = here,
            _ => {}
        }
        if to < text.len() {
            break;
        }
    }
    let found = text.get(from..to).unwrap_or_default();
    let words: Vec<&str> = found.split_whitespace().collect();
    let before = text.get(..from).unwrap_or_default();
    let place = (before.matches('\n').count() + 1, before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1);
    (words.join(" "), (place, found.lines().next().unwrap_or_default().trim_end().chars().count()))
}

/// Whether the clause goes on after the bracket at `place`: an operator, a dot, an index.
fn more(text: &str, place: usize) -> bool {
    let rest = text.get(place + 1..).unwrap_or_default().trim_start();
    !rest.starts_with("&&") && !rest.starts_with("||") && !rest.starts_with([')', ']', '}', ',', ';']) && !rest.is_empty()
}
