// SPDX-License-Identifier: MIT
#include "companion/replication/primary_roles.h"

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/new_primary.h"
#include "companion/replication/scram.h"

namespace xs {
namespace {

WorkStep sql_step(const PrimaryWork& work, const std::string& what, const std::string& statement,
                  const std::string& shown, std::function<bool()> done) {
  WorkStep step;
  step.what = what;
  step.detail = [=] { return "SQL " + escape(shown) + "\n"; };
  step.done = std::move(done);
  step.act = [=] { work.sql.ask(statement); };
  return step;
}

void check_group(const LocalSql& sql, const std::vector<std::string>& standbys,
                 const std::string& group) {
  if (sql.value("select rolcanlogin::text from pg_roles where rolname = $1", {group}) == "true") {
    throw Error(Fault::Refused, "the role " + quote(group) +
                                    " logs in, so it is no group of standbys: give another "
                                    "--group");
  }
  const std::string stranger = sql.value(
      "select m.rolname from pg_roles m join pg_roles g on g.rolname = $1 and g.oid <> m.oid where "
      "m.rolcanlogin and not m.rolsuper and not m.rolreplication and "
      "m.rolname <> all($2::text[]) and pg_has_role(m.oid, g.oid, 'member') order by 1 limit 1",
      {group, sql_array(standbys)});
  if (stranger.empty()) return;
  throw Error(Fault::Refused, quote(stranger) + " is in the group " + quote(group) +
                                  " and is no standby: our lines of pg_hba.conf would shut it "
                                  "out; give another --group");
}

// '-' and '.' are '_' in a slot's name: two standbys would follow by one.
void check_slots(const LocalSql& sql, const std::vector<std::string>& standbys,
                 const std::string& group) {
  std::vector<std::string> all = standbys;
  for (const DbRow& row :
       sql.ask("select r.rolname from pg_auth_members m join pg_roles r on r.oid = m.member "
               "join pg_roles g on g.oid = m.roleid where g.rolname = $1 and r.rolreplication",
               {group})) {
    all.push_back(row[0].value_or(""));
  }
  for (const std::string& one : standbys) {
    for (const std::string& other : all) {
      if (one == other || slot_name(one) != slot_name(other)) continue;
      throw Error(Fault::Usage, quote(one) + " and " + quote(other) + " would share the slot " +
                                    quote(slot_name(one)) + ": choose another name");
    }
  }
}

}  // namespace

void check_roles(const LocalSql& sql, const std::vector<std::string>& standbys,
                 const std::vector<std::string>& groups) {
  std::vector<std::string> names = standbys;
  names.push_back(groups.front());
  const auto rows = sql.ask(
      "select rolname, (rolsuper or rolcreaterole or rolcreatedb or rolbypassrls)::text, "
      "(rolname = $2 or exists(select 1 from pg_auth_members m join pg_roles g on "
      "g.oid = m.roleid where m.member = r.oid and g.rolname = any($3::text[])))::text, "
      "exists(select 1 from pg_roles where rolname = $2)::text "
      "from pg_roles r where rolname = any($1::text[]) order by 1",
      {sql_array(names), groups.front(), sql_array(groups)});
  for (const DbRow& row : rows) {
    const std::string name = row[0].value_or("");
    if (row[1] == "true") {
      throw Error(Fault::Refused, "the role " + quote(name) +
                                      " exists and may do more than replicate: choose another "
                                      "name");
    }
    if (row[2] != "true") {
      const std::string group = sql_name(groups.front());
      std::string word = row[3] == "true" ? "" : "CREATE ROLE " + group + " NOLOGIN; ";
      word += "GRANT " + group + " TO " + sql_name(name);
      throw Error(Fault::Refused, "the role " + quote(name) +
                                      " exists and is no standby's of ours: choose another name, "
                                      "or say that it is one: " +
                                      word);
    }
  }
  check_group(sql, standbys, groups.front());
  check_slots(sql, standbys, groups.front());
}

WorkStep group_step(const PrimaryWork& work) {
  const std::string& group = work.plan.group;
  const std::string order = "create role " + sql_name(group) + " nologin";
  return sql_step(work, "make the role " + group, order, order, [=] {
    return work.sql.value("select 1 from pg_roles where rolname = $1", {group}) == "1";
  });
}

WorkStep rewind_step(const PrimaryWork& work) {
  const std::string& group = work.plan.group;
  std::string all;
  for (const std::string& one : rewind_functions()) all += (all.empty() ? "" : ", ") + one;
  const std::string order = "grant execute on function " + all + " to " + sql_name(group);
  return sql_step(work, "let a standby that comes back use pg_rewind", order, order, [=] {
    return work.sql.value(
               "select (select bool_and(has_function_privilege(r.oid, f, 'execute')) "
               "from unnest($2::text[]) f)::text from pg_roles r where r.rolname = $1",
               {group, sql_array(rewind_functions())}) == "true";
  });
}

WorkStep role_step(const PrimaryWork& work, const std::string& name) {
  const std::string& group = work.plan.group;
  WorkStep step;
  step.what = "make the role " + name + ", which may replicate";
  const std::string rights = sql_name(name) + " login replication password ";
  step.detail = [=] {
    return "SQL create role " + rights + (work.password.empty() ? "null" : "'********'") +
           " in role " + sql_name(group) + "\n";
  };
  step.done = [=] {
    const auto rows = work.sql.ask(
        "select (r.rolcanlogin and r.rolreplication)::text, coalesce(a.rolpassword, ''), "
        "exists(select 1 from pg_auth_members m join pg_roles g on g.oid = m.roleid "
        "where m.member = r.oid and g.rolname = $2)::text "
        "from pg_roles r join pg_authid a on a.oid = r.oid where r.rolname = $1",
        {name, group});
    if (rows.empty() || rows[0][0] != "true" || rows[0][2] != "true") return false;
    const std::string now = rows[0][1].value_or("");
    return work.password.empty() ? now.empty() : scram_matches(now, work.password);
  };
  step.act = [=] {
    const std::string secret =
        work.password.empty() ? "null" : sql_text(scram_verifier(work.password));
    const bool there = work.sql.value("select 1 from pg_roles where rolname = $1", {name}) == "1";
    if (there) {
      work.sql.ask("alter role " + rights + secret);
      work.sql.ask("grant " + sql_name(group) + " to " + sql_name(name));
    } else {
      work.sql.ask("create role " + rights + secret + " in role " + sql_name(group));
    }
  };
  return step;
}

WorkStep slot_step(const PrimaryWork& work, const std::string& name) {
  const std::string slot = slot_name(name);
  const std::string lost = work.sql.cluster().major >= 13 ? "wal_status = 'lost'" : "false";
  WorkStep step;
  step.what = "make the replication slot " + slot;
  step.detail = [=] {
    return "SQL select pg_create_physical_replication_slot('" + slot + "')\n" +
           slot_warning(work.sql.cluster().major);
  };
  step.done = [=] {
    return work.sql.value(
               "select 1 from pg_replication_slots where slot_name = $1 and slot_type = "
               "'physical' and (" +
                   lost + ") is not true",
               {slot}) == "1";
  };
  step.act = [=] {
    work.sql.ask(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where "
        "slot_name = $1 and slot_type = 'physical' and " +
            lost,
        {slot});
    work.sql.ask("select pg_create_physical_replication_slot($1)", {slot});
  };
  return step;
}

}  // namespace xs
