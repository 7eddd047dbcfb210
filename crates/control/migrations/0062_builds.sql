-- Builds that staff ask for: of each runtime on each node the last time. A node is told of what was asked within the last minute; a node
-- that is away builds when it is asked again.
create table build_request (
    node    text not null references node,
    runtime text not null,
    asked   timestamptz not null default now(),
    constraint build_request_once primary key (node, runtime)
);
alter table build_request enable row level security;
alter table build_request force row level security;
create policy owner_all on build_request to husorden_owner using (true) with check (true);
create policy staff_all on build_request to husorden_staff using (true) with check (true);
grant select, insert, update (asked) on build_request to husorden_staff;

create function node_builds_asked(p_node text) returns table (say jsonb)
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('say', 'build', 'runtime', runtime, 'asked', asked) from build_request
     where node = p_node and asked > now() - interval '1 minute' order by asked, runtime
$$;
grant execute on function node_builds_asked(text) to husorden_system;
