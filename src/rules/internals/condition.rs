//! A condition's syntax tree becomes a tree of clauses; what is not understood stays the interpreter's.

use rhai::{AST, ASTNode, Dynamic, Expr, FnCallExpr, Stmt};

use super::{field_of, text, variable};
use crate::model::predicate::{Clause, Leaf, Literal, Operator, Predicate};
use crate::rules::registry::{self, FIELDS, Field, Kind};

/// What is known where a condition stands.
pub(in crate::rules) struct Site<'a> {
    /// The file's text.
    pub text: &'a str,
    /// The closure's parameters, captured ones first.
    pub parameters: &'a [String],
    /// The values of the captured ones.
    pub captured: &'a [Dynamic],
}

/// A condition and, for each leaf, the script that answers it alone.
pub(in crate::rules) struct Condition {
    pub predicate: Predicate,
    pub scripts: Vec<AST>,
    /// The values that the closure captured, by the names that they have inside.
    pub world: Vec<(String, Dynamic)>,
    /// The name of the customer inside.
    pub customer: String,
}

/// Reads function `name` of `ast`.
pub(in crate::rules) fn condition(ast: &AST, name: &str, site: &Site<'_>) -> Option<Condition> {
    let mut alone = ast.clone_functions_only();
    alone.retain_functions(|_, _, function, parameters| function == name && parameters == site.parameters.len());
    let mut body = Vec::new();
    alone.walk(&mut |path: &[ASTNode]| {
        if let [ASTNode::Stmt(statement)] = path {
            body.push((*statement).clone());
        }
        true
    });
    let [statement] = <[Stmt; 1]>::try_from(body).ok()?;
    let mut reader = Reader { site, ast, scripts: Vec::new() };
    let predicate = reader.statement(&statement)?;
    let world = site.parameters.iter().cloned().zip(site.captured.iter().cloned()).collect();
    Some(Condition { predicate, scripts: reader.scripts, world, customer: site.parameters.last()?.clone() })
}

struct Reader<'a> {
    site: &'a Site<'a>,
    ast: &'a AST,
    scripts: Vec<AST>,
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
            other => self.leaf(other),
        }
    }

    fn leaf(&mut self, expression: &Expr) -> Predicate {
        let clause = self.clause(expression).unwrap_or(Clause::Script);
        let number = self.scripts.len();
        self.scripts.push(AST::new([Stmt::Expr(Box::new(expression.clone()))], self.ast.shared_lib().clone()));
        Predicate::Leaf(Leaf { clause, text: snippet(self.site.text, begin(expression)), number, reads: reads(expression) })
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
                    Some(Clause::Has(registry::field(&text(call.args.first()?)?)?.name))
                }
                Expr::Dot(inner, flags, _) if flags.is_empty() => match (&inner.lhs, &inner.rhs) {
                    (Expr::Property(property, _), Expr::MethodCall(call, _))
                        if property.2 == "tags" && call.name == "contains" && call.args.len() == 1 && self.is_customer(&sides.lhs) =>
                    {
                        Some(Clause::Tagged(self.text(&call.args[0])?))
                    }
                    _ => None,
                },
                _ => self.field(expression).filter(|field| field.kind == Kind::Flag).map(|field| Clause::Flag(field.name)),
            },
            _ => None,
        }
    }

    fn contains(&self, list: &Expr, item: &Expr) -> Option<Clause> {
        if self.field(list).is_some_and(|field| field.name == "tags") {
            return Some(Clause::Tagged(self.text(item)?));
        }
        let field = self.field(item)?;
        let Expr::Array(items, _) = list else { return None };
        let list: Option<Vec<Literal>> = items.iter().map(|item| self.literal(item).filter(|literal| fits(field, literal))).collect();
        Some(Clause::OneOf { field: field.name, list: list? })
    }

    fn comparison(&self, call: &FnCallExpr) -> Option<Clause> {
        let [left, right] = call.args.as_slice() else { return None };
        let operator = Operator::parse(&call.name)?;
        let ((field, default), other, operator) = match (self.operand(left), self.operand(right)) {
            (Some(operand), None) => (operand, right, operator),
            (None, Some(operand)) if operator != Operator::NotEqual => (operand, left, operator.flipped()),
            _ => return None,
        };
        if matches!(other, Expr::Unit(_)) && default.is_none() {
            return match operator {
                Operator::NotEqual => Some(Clause::Has(field.name)),
                _ => None,
            };
        }
        let literal = self.literal(other).filter(|literal| fits(field, literal))?;
        // Flags have no order.
        let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
        (!ordered || field.kind != Kind::Flag).then_some(Clause::Compare { field: field.name, default, operator, literal })
    }

    /// `c.field` or `c.field ?? default`.
    fn operand(&self, expression: &Expr) -> Option<(&'static Field, Option<Literal>)> {
        match expression {
            Expr::Coalesce(parts, _) => match parts.as_slice() {
                [field, default] => {
                    let field = self.field(field)?;
                    let default = self.literal(default).filter(|literal| fits(field, literal))?;
                    Some((field, Some(default)))
                }
                _ => None,
            },
            other => self.field(other).map(|field| (field, None)),
        }
    }

    fn field(&self, expression: &Expr) -> Option<&'static Field> {
        let Expr::Dot(sides, flags, _) = expression else { return None };
        if !flags.is_empty() || !self.is_customer(&sides.lhs) {
            return None;
        }
        field_of(expression).and_then(|(_, property)| registry::field(&property))
    }

    /// The last parameter is the customer.
    fn is_customer(&self, expression: &Expr) -> bool {
        variable(expression).is_some_and(|name| self.site.parameters.last() == Some(&name))
    }

    /// A literal, or a captured value.
    fn literal(&self, expression: &Expr) -> Option<Literal> {
        let value = match variable(expression) {
            Some(name) => {
                let place = self.site.parameters.iter().position(|parameter| *parameter == name)?;
                self.site.captured.get(place)?.clone()
            }
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

    fn text(&self, expression: &Expr) -> Option<String> {
        match self.literal(expression)? {
            Literal::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Whether a field can be compared with it; else the interpreter says what that means.
fn fits(field: &Field, literal: &Literal) -> bool {
    matches!(
        (field.kind, literal),
        (Kind::Whole | Kind::Decimal, Literal::Number(_)) | (Kind::Text, Literal::Text(_)) | (Kind::Flag, Literal::Flag(_))
    )
}

/// Fields whose names an expression mentions.
fn reads(expression: &Expr) -> Vec<&'static str> {
    let mut names = Vec::new();
    expression.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Expr(Expr::Property(property, _))) => names.push(property.2.to_string()),
            Some(ASTNode::Expr(Expr::MethodCall(call, _))) if call.name == "has" => names.extend(call.args.first().and_then(text)),
            _ => {}
        }
        true
    });
    FIELDS.iter().map(|field| field.name).filter(|field| names.iter().any(|name| name == field)).collect()
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

/// The words from a place up to where the clause ends: `&&`, `||`, or a bracket, comma or semicolon that belongs to what is around it.
fn snippet(text: &str, (line, column): (usize, usize)) -> String {
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
    let words: Vec<&str> = text.get(from..to).unwrap_or_default().split_whitespace().collect();
    words.join(" ")
}

/// Whether the clause goes on after the bracket at `place`: an operator, a dot, an index.
fn more(text: &str, place: usize) -> bool {
    let rest = text.get(place + 1..).unwrap_or_default().trim_start();
    !rest.starts_with("&&") && !rest.starts_with("||") && !rest.starts_with([')', ']', '}', ',', ';']) && !rest.is_empty()
}
