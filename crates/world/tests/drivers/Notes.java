import java.sql.DriverManager;

/** Connects by a line of JDBC, beside the file ca.pem, and says how many notes there are. */
class Notes {
    public static void main(String[] arguments) throws Exception {
        String line = System.getenv("CODE").replace("PASSWORD", System.getenv("PASSWORD"));
        try (var connection = DriverManager.getConnection(line); var statement = connection.createStatement()) {
            var answer = statement.executeQuery("SELECT count(*) FROM notes");
            answer.next();
            System.out.println(answer.getInt(1));
        }
    }
}
