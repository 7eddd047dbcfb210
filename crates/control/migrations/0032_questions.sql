-- Who may ask a node a question, and how it is answered. The table stands with those that a node is told of.

create policy tenant_own on question to husorden_tenant using (account = bound_account()) with check (account = bound_account());
create policy tenant_scope on question as restrictive to husorden_tenant
    using ((select scope_open()) or exists (select from solution s where s.id = question.solution))
    with check ((select scope_open()) or exists (select from solution s where s.id = question.solution));
grant select, insert, delete on question to husorden_tenant;

create function node_answer(p_node text, p_question uuid, p_answer jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    update question set answer = p_answer where id = p_question and node = p_node and answer is null
$$;

-- What nobody waits for any more.
create function sweep_questions() returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with d as (delete from question where asked < now() - interval '1 minute' returning 1) select count(*) from d
$$;
insert into job (kind, every_s) values ('sweep-questions', 60);

grant execute on function node_answer(text, uuid, jsonb), sweep_questions() to husorden_system;
