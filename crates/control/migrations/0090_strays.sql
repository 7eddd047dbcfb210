-- What a node holds and control does not know of is taken over: the node is asked for the wish that it pursues, and that becomes control's own.

-- A node is asked about what control does not know, too. Who may ask stands in the policies.
alter table question drop constraint question_solution_fkey;

-- Takes over a solution of the bound account with its number, which nobody else may have been given. Its generation is the next, so that the node,
-- which holds the one before, takes the wish. False where it is known by now.
create function stray_take(p_node text, p_wish jsonb, p_name text) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    own uuid := (p_wish->>'solution')::uuid;
    now_epoch bigint;
begin
    if (p_wish->>'account')::uuid is distinct from bound_account() then
        raise exception 'it is another account''s' using errcode = 'insufficient_privilege';
    end if;
    if exists (select from solution where id = own) then return false; end if;
    update platform set last_number = greatest(last_number, (p_wish->>'number')::integer) returning epoch into now_epoch;
    insert into solution (id, number, account, node, name, kind, aim, spec, credentials, epoch, generation, retain_until)
        values (own, (p_wish->>'number')::integer, bound_account(), p_node, p_name, p_wish->>'kind', p_wish->>'aim', p_wish->'spec',
                p_wish->'credentials', now_epoch, (p_wish->>'generation')::bigint + 1, (p_wish->>'retain_until')::timestamptz);
    return true;
end $$;
grant execute on function stray_take(text, jsonb, text) to husorden_tenant;
