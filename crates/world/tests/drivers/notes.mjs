// Runs a line as it is pasted into a program, beside the file ca.pem, and says how many notes there are.
import fs from "node:fs";
import mysql from "mysql2/promise";
import pg from "pg";

const { CODE, PASSWORD } = process.env;
const made = new Function("fs", "mysql", "pg", `return ${CODE.replace("PASSWORD", PASSWORD)}`);
const client = await made(fs, mysql, pg);
await client.connect();
const answer = await client.query("SELECT count(*) AS count FROM notes");
console.log((answer.rows ?? answer[0])[0].count);
await client.end();
